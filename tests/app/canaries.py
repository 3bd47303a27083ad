"""Secrets that are planted to be looked for.

One of the two tokens looks like Keystone's, so that the log's redactor would cut it; the other does not, so that only the
type `Secret` keeps it in. What looks at output must find neither, in any spelling.
"""

import base64
from urllib.parse import quote

SECRET = "canary/access+secret=0123456789"
TOKENS = {"fernet": "gAAAAAB" + "canaryTOKEN" * 16 + "==", "other": "canary.token+of/another~shape"}


def found(output: str, *canaries: str) -> list[str]:
    """The spellings that are there."""
    spellings = [
        spelling
        for canary in canaries
        for spelling in (
            canary,
            quote(canary, safe=""),
            base64.b64encode(canary.encode()).decode(),
            # What is shortened for a reader keeps as little as this (`reprlib`).
            canary[:12],
            canary[-12:],
        )
    ]
    return [spelling for spelling in spellings if spelling in output]
