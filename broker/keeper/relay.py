"""What a client asks IAM for beside tokens, passed on with the token: bounded, and never in the way of an issue (L3)."""

import asyncio
from collections.abc import Callable
from functools import partial

from broker.core.errors import CODE_OF_FAULT, Code, Fault, IamError, Refusal
from broker.core.model import Passed
from broker.core.ports import Forwarder
from broker.core.secret import Secret

AT_ONCE = 4
MOST_WAITING = 64
PATIENCE = 10.0  # seconds that a request waits for its turn
# Who does not read has its answer kept for some seconds, and may ask again meanwhile by another connection.
MOST_UNREAD = 16 * 1024 * 1024  # bytes of answers that are not out yet


class Relay:
    """That of one identity. Belongs to one event loop."""

    def __init__(self, iam: Forwarder) -> None:
        self._iam = iam
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0
        self._unread = 0  # bytes

    async def ask(self, token: Secret, method: str, target: str) -> Passed:
        """IAM's answer, whatever it says. Raises Refusal where there is none.

        `target` is the path below IAM's own, and its query; a client that leaves takes its request along.
        """
        await self._turn()
        try:
            if self._unread >= MOST_UNREAD:
                raise Refusal(
                    Code.IAM_THROTTLED, "other clients do not read what they asked for; ask again", 1.0
                )
            return await self._iam.relay(token, method, target)
        except IamError as error:
            # Whatever it is, it is no word on the access key.
            code = Code.IAM_UNAVAILABLE if error.fault is Fault.REJECTED else CODE_OF_FAULT[error.fault]
            raise Refusal(code, error.detail, error.retry_after) from None
        finally:
            self._turns.release()

    def kept(self, answer: Passed) -> Callable[[], None]:
        """Count an answer as not read yet, until what is returned is called, once."""
        self._unread += len(answer.body)
        return partial(self._read, len(answer.body))

    def _read(self, count: int) -> None:
        self._unread -= count

    async def _turn(self) -> None:
        if self._waiting >= MOST_WAITING:
            raise Refusal(Code.IAM_THROTTLED, "too many requests wait to be passed on; ask again", 1.0)
        self._waiting += 1
        try:
            async with asyncio.timeout(PATIENCE):
                await self._turns.acquire()
        except TimeoutError:
            raise Refusal(Code.IAM_THROTTLED, "other requests are passed on still; ask again", 1.0) from None
        finally:
            self._waiting -= 1
