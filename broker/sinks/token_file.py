"""One token file as the settings have it, and what else is said about it."""

from dataclasses import dataclass
from pathlib import Path


class SinkError(Exception):
    """A file could not be written, read or removed; its text is one sentence with the remedy, and holds no secret."""


@dataclass(frozen=True, slots=True)
class TokenFile:
    """Where it lies, what is in it, and whose it is."""

    path: Path  # absolute
    identity: str
    auth_url: str  # of IAM, for the forms that name it
    form: str = "text"  # of `forms.FORMS`; not looked at where there is a template
    template: Path | None = None
    mode: int = 0o600
    uid: int | None = None  # None: the broker's own
    gid: int | None = None  # None: the broker's own, or that of a folder which gives its group on
    keep: bool = False  # when the broker ends
    on_change: tuple[str, ...] = ()  # none: nothing is run
    timeout: float = 30.0  # seconds that it may take
