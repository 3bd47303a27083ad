"""What the head of every answer says."""

from typing import Final

NO_STORE: Final = {"Cache-Control": "no-store"}
