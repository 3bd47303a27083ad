"""An object storage that answers when, and what, the test says."""

import asyncio
from datetime import timedelta

from broker.core.errors import Fault, IamError
from broker.core.model import Token
from broker.core.s3 import S3Keys, S3Reply, Wish
from broker.core.secret import Secret
from tests.fakes.clock import FakeClock

REGION = "kr-central-2"
OTHER_REGION = "kr-east-1"
USUAL = Wish(REGION, 1800)


class FakeExchange:
    """Implements the port `Exchange`: answers at once, unless `hold` has requests wait in `calls`."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self.hold = False
        self.calls: list[asyncio.Future[S3Reply]] = []
        self.asked: list[tuple[str, Wish]] = []  # with which token, for what
        self.given = 0
        self.life: float | None = None  # seconds; None: what was asked for
        self.refusals: list[IamError | Exception] = []  # of the next requests, in order
        self.refused: set[str] = set()  # tokens that it takes no more

    def has(self, region: str) -> bool:
        return region in {REGION, OTHER_REGION}

    async def s3_keys(self, token: Token, wish: Wish) -> S3Reply:
        sent_at = self._clock.now()
        self.asked.append((token.value.reveal(), wish))
        if self.hold:
            answer: asyncio.Future[S3Reply] = asyncio.get_running_loop().create_future()
            self.calls.append(answer)
            return await answer
        if self.refusals:
            raise self.refusals.pop(0)
        if token.value.reveal() in self.refused:
            raise IamError(Fault.REJECTED, "it takes this token no more")
        return self.reply(sent_at, wish)

    def answer(self) -> None:
        """Answer the oldest request that waits."""
        self.calls.pop(0).set_result(self.reply(self._clock.now(), USUAL))

    def fail(self, error: Exception) -> None:
        """Answer it with trouble."""
        self.calls.pop(0).set_exception(error)

    def reply(self, sent_at: float, wish: Wish) -> S3Reply:
        """The next credentials, which are numbered."""
        self.given += 1
        life = self.life or float(wish.duration)
        keys = S3Keys(
            f"AKIA{self.given}",
            Secret(f"s3-secret-{self.given}"),
            Secret(f"s3-session-{self.given}"),
            self._clock.wall() + timedelta(seconds=life),
        )
        return S3Reply(keys, life, sent_at)
