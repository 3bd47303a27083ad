"""IAM in the simulation: the emulator's model behind a network that is slow, and sometimes not there.

- An answer takes 20 to 80 ms, an outage the 10 s of the broker's own time-out; IAM acts half-way.
- Whoever asks is counted, whether answered or not.
"""

import asyncio
import random
from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from bench.sim.clock import SimClock
from broker.fakeiam.model import Claim, Key, RefusedError, Token
from broker.fakeiam.realm import Realm
from broker.fakeiam.tokens import Tokens

LIFE = 12 * 3600.0
TIMEOUT = 10.0
FASTEST, SLOWEST = 0.020, 0.080
ROLES = ("member", "operator")
_MOST_TOKENS = 100_000


@dataclass(frozen=True, slots=True)
class Death:
    """The end of a token: `seconds` ago, and whether the early revocation was it."""

    seconds: float
    revoked: bool


class DownError(Exception):
    """No answer within the time-out."""


class Iam:
    """One IAM with one user; belongs to one loop."""

    def __init__(self, clock: SimClock, seed: int) -> None:
        self._clock = clock
        self._network = random.Random(f"network {seed}")
        texts = random.Random(f"tokens {seed}")
        self.realm = Realm(clock.true)
        self.tokens = Tokens(
            self.realm, life=LIFE, most=_MOST_TOKENS, new_text=lambda: f"gAAAAA{texts.getrandbits(712):0178x}"
        )
        self.user = self.realm.add_user(*ROLES)
        self.down = False
        self.asked: Counter[str] = Counter()  # requests, by kind
        self.answered: Counter[str] = Counter()  # of these, those that brought what was asked for
        self.issued_at: list[float] = []  # seconds on the machine's clock
        self._revoked_at: datetime | None = None
        self._deleted_at: dict[str, datetime] = {}

    def new_key(self) -> Key:
        """One more access key of the user."""
        return self.realm.add_key(self.user.id)

    async def reach(self, kind: str) -> None:
        """The way to IAM, for one request. Raises DownError."""
        self.asked[kind] += 1
        if self.down:
            await asyncio.sleep(TIMEOUT)
            raise DownError
        await asyncio.sleep(self._network.uniform(FASTEST, SLOWEST) / 2)

    async def back(self, kind: str) -> None:
        """The way back of an answer."""
        self.answered[kind] += 1
        await asyncio.sleep(self._network.uniform(FASTEST, SLOWEST) / 2)

    async def issue(self, key: Key) -> Token:
        """Trade an access key for a token. Raises DownError, RefusedError."""
        await self.reach("issue")
        token = self.tokens.issue(Claim(key.secret, key_id=key.id))
        self.issued_at.append(self._clock.now())
        await self.back("issue")
        return token

    def revoke(self) -> None:
        """The user's password is changed: all its tokens die, its keys stay."""
        self.realm.change_password(self.user.id)
        self._revoked_at = self._clock.true()

    def delete_key(self, key: Key) -> None:
        """Delete an access key: its tokens die."""
        self.realm.delete_key(key.id)
        self._deleted_at[key.id] = self._clock.true()

    def death(self, text: str) -> Death | None:
        """Of this token, as any service would see it now; None: it lives."""
        token = self.tokens.find(text)
        if token is None:
            raise LookupError("IAM has forgotten a token that is still in use; let it remember more")
        try:
            self.tokens.roles(token)
        except RefusedError:
            return self._death(token)
        return None

    def _death(self, token: Token) -> Death:
        revoked = self._revoked_at
        if revoked is not None and token.issued_at > revoked:
            revoked = None
        ends = (token.expires_at, revoked, self._deleted_at.get(token.key.id))
        first = min(end for end in ends if end is not None)
        return Death((self._clock.true() - first).total_seconds(), revoked=first == revoked)
