"""A table of settings: frozen, and refusing every key that it does not know."""

from pydantic import BaseModel, ConfigDict


class Table(BaseModel):
    """What every table of the tree is."""

    model_config = ConfigDict(frozen=True, extra="forbid")
