"""Takes the tokens of a file out of what its command said: the one of now, and those before it."""

from collections import deque

from broker.core.model import Held
from broker.core.secret import Secret

_MASK = "***"
# While a command runs its token may be replaced, and more than once where the broker is told that they are dead.
_REMEMBERED = 8


class Mask:
    """Knows the last few tokens."""

    def __init__(self) -> None:
        self._tokens: deque[Secret] = deque(maxlen=_REMEMBERED)

    def remember(self, held: Held | None) -> None:
        """This one is in the file soon, if it is one."""
        if held is not None:
            self._tokens.append(held.token.value)

    def __call__(self, text: str) -> str:
        """The text without them."""
        for token in self._tokens:
            text = text.replace(token.reveal(), _MASK)
        return text
