"""Tokens for programs that wait on an asyncio loop; no library beside the standard one is needed."""

from typing import Self

from broker.client.aio import run
from broker.client.asking import Asking
from broker.client.token import Rejection, Token
from broker.core.secret import Secret


class AsyncTokenClient(Asking):
    """Asks the broker for tokens. It keeps no state: share it among tasks and loops; cancel a call at any time.

    `async with` and `aclose` are there for habit's sake; nothing is held open between two calls.
    """

    async def token(self, *, min_ttl: float | None = None) -> Token:
        """The token of this moment, of `min_ttl` seconds of life at least where told. Raises ClientError."""
        return await run(self.find, self.token_steps(min_ttl))

    async def reject(self, token: Token | Secret | str) -> Rejection:
        """Report that a service refuses this token, with 401; what came of it. Raises ClientError."""
        return await run(self.find, self.reject_steps(token))

    async def aclose(self) -> None:
        """Nothing is open."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()
