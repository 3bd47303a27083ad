"""Tokens for programs that wait in threads."""

from typing import Self

from broker.client.asking import Asking
from broker.client.fetch import run
from broker.client.token import Rejection, Token
from broker.core.secret import Secret


class TokenClient(Asking):
    """Asks the broker for tokens. It keeps no state: share it among threads, and after a fork.

    `with` and `close` are there for habit's sake; nothing is held open between two calls.
    """

    def token(self, *, min_ttl: float | None = None) -> Token:
        """The token of this moment, of `min_ttl` seconds of life at least where told. Raises ClientError."""
        return run(self.find, self.token_steps(min_ttl))

    def reject(self, token: Token | Secret | str) -> Rejection:
        """Report that a service refuses this token, with 401; what came of it. Raises ClientError."""
        return run(self.find, self.reject_steps(token))

    def close(self) -> None:
        """Nothing is open."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
