"""What both clients share: whom and where they ask, and their questions.

Each call is a request of its own, on a connection of its own: the broker answers from memory in a fraction of a millisecond,
so that a program which asks every time always has the token of this moment, whatever has become of the broker's process
and socket since, of the environment, and of a program that has forked.
"""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING, Protocol

from broker.client import address, fetch
from broker.client.failures import BadAddress
from broker.client.token import Rejection, Token, read_rejection, read_token
from broker.core.secret import Secret

if TYPE_CHECKING:
    from broker.client.address import Address
    from broker.client.ask import Steps

TIMEOUT = 5.0  # seconds


class Given(Protocol):
    """A token of an identity."""

    @property
    def identity(self) -> str: ...
    @property
    def value(self) -> Secret: ...


class Asking:
    """An identity, a broker, and how long it is waited for.

    - `identity`: its name; without one the identity `default`, else the only one that this user may read.
    - `url`: as KAKAOCLOUD_BROKER_URL has it; without one that variable or the usual socket, looked up at each call.
    - `timeout`: seconds to wait for a usable token, or for the verdict on a refused one. A broker that is being restarted is
      waited for too. Its last word may take a second more.

    Raises BadAddress and Denied for what can be no url and no name, ValueError for a timeout that is none.
    """

    def __init__(
        self, identity: str | None = None, *, url: str | None = None, timeout: float = TIMEOUT
    ) -> None:
        if not (math.isfinite(timeout) and timeout >= 0):
            raise ValueError("timeout is a number of seconds")
        self.identity = None if identity is None else fetch.part_of_path(identity)
        self._place = None if url is None else _placed(url)
        self.timeout = timeout

    def find(self) -> Address:
        """Where the broker is now. Raises Unreachable."""
        return self._place or address.find(os.environ)

    def token_steps(self, min_ttl: float | None = None) -> Steps[Token]:
        """The token, of `min_ttl` seconds of life at least."""
        if min_ttl is not None and not (math.isfinite(min_ttl) and min_ttl >= 0):
            raise ValueError("min_ttl is a number of seconds")
        target = fetch.token_target(self.identity, min_ttl)
        return read_token((yield from fetch.awaited(target, self.timeout, patient=True)))

    def reject_steps(self, token: Given | Secret | str) -> Steps[Rejection]:
        """What comes of a report. Only the token's SHA-256 leaves this process."""
        identity, value = (
            (self.identity, token) if isinstance(token, Secret | str) else (token.identity, token.value)
        )
        secret = value if isinstance(value, Secret) else Secret(value)
        return read_rejection((yield from fetch.rejected(identity, secret.sha256(), self.timeout)))


def _placed(url: str) -> Address:
    try:
        return address.find({address.VARIABLE: url or "nothing"})
    except BadAddress as error:
        raise BadAddress(str(error).replace(address.VARIABLE, "url", 1)) from None
