"""A text that cannot be shown by accident.

Neither `str`, `repr`, `format`, a log, a traceback, `json` nor `pickle` gets the text out; only `reveal` does, so
`grep -rn 'reveal('` is the audit of where secrets leave. Comparison takes the same time wherever two texts differ.
A text cannot be overwritten in Python, a buffer can: `wipe` is for those that a secret passes through.
"""

import hashlib
import hmac
from typing import NoReturn, final

# Characters: a word like "member" stands in every answer of IAM, and may be somebody's secret.
_NO_CHANCE = 16


@final
class Secret:
    """Holds a token or an access secret."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself: for the wire to IAM or to a proven caller, for nothing else."""
        return self._text

    def sha256(self) -> str:
        """The hex digest that names this secret where the text must not stand. Raises UnicodeEncodeError for no token."""
        return hashlib.sha256(self._text.encode()).hexdigest()

    def is_in(self, content: bytes) -> bool:
        """Whether it stands in these bytes as it is; a short one, as people choose them, may do so by chance and is not looked for."""
        return len(self._text) >= _NO_CHANCE and self._text.encode(errors="surrogatepass") in content

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(
            self._text.encode(errors="surrogatepass"), other._text.encode(errors="surrogatepass")
        )

    # A hash would compare in variable time inside dicts and sets.
    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not copied, pickled or sent anywhere")


def wipe(buffer: bytearray) -> None:
    """Overwrite what a secret has passed through; whoever still has the buffer reads zeros."""
    buffer[:] = bytes(len(buffer))
