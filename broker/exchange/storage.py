"""KakaoCloud's object storage as the broker asks it: AssumeRoleWithWebIdentity, a token for S3 credentials (port `Exchange`).

- The life of credentials is counted from before their request left, so the clock is read before anything else happens.
- The token goes to the address that the settings name, with at most the region that a caller chose, see `places`.
- It has connections of its own: however long object storage takes, IAM is asked meanwhile (L3).
"""

import asyncio
import json
from typing import Final, Self

from broker.core.errors import Fault, IamError
from broker.core.model import Token
from broker.core.ports import Clock
from broker.core.s3 import S3Reply, Wish
from broker.core.secret import wipe
from broker.exchange.faults import refusal
from broker.exchange.places import Places
from broker.exchange.reply import parse_keys
from broker.outward.observed import OnRequest, nobody, observed
from broker.outward.transport import Endpoint, Transport

OPERATION: Final = "s3"  # in the metrics
_PROVIDER = "iam.kakaocloud.com"  # as KakaoCloud documents it, whatever IAM's address is
# Of an identity: more than the kinds of credentials that may be asked for within one time-out, so that none ever waits.
_CONNECTIONS = 16
_READ = frozenset({200})
_HEADERS = {"Content-Type": "application/json", "Accept": "application/xml, text/xml"}


class ObjectStorage:
    """The only caller of object storage; an async context manager that owns its connections."""

    def __init__(
        self, places: Places, endpoint: Endpoint, clock: Clock, on_request: OnRequest = nobody
    ) -> None:
        """`endpoint` is that of the usual region."""
        self._places = places
        self._endpoint = endpoint
        self._clock = clock
        self._on_request = on_request
        self._transport = Transport(endpoint, _CONNECTIONS, _READ)

    async def __aenter__(self) -> Self:
        """Raises ConfigError when the CA file cannot be used."""
        await self._transport.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._transport.__aexit__(*error)

    def has(self, region: str) -> bool:
        """Whether it may be asked for in this region."""
        return self._places.url(region) is not None

    async def s3_keys(self, token: Token, wish: Wish) -> S3Reply:
        """Trade the token for S3 credentials. Raises IamError."""
        url = self._places.url(wish.region)
        if url is None:
            raise IamError(Fault.PROTOCOL, "the region is none that s3.url has a place for; see s3.region")
        with observed(self._on_request, OPERATION, self._clock) as sent_at:
            body = _body(token, wish)
            try:
                return await self._asked(url, body, token, wish, sent_at)
            finally:
                wipe(body)

    async def _asked(self, url: str, body: bytearray, token: Token, wish: Wish, sent_at: float) -> S3Reply:
        deadline = asyncio.get_running_loop().time() + self._endpoint.timeout
        answer = await self._transport.exchange("POST", url, _HEADERS, body, deadline)
        if answer.status != 200:
            raise refusal(self._endpoint.peer, answer.status, answer.headers)
        return parse_keys(answer.headers, answer.body, token.value, wish.duration, sent_at)


def _body(token: Token, wish: Wish) -> bytearray:
    """The request as KakaoCloud documents it; to be wiped once it has gone out."""
    asked = {
        "Action": "AssumeRoleWithWebIdentity",
        "DurationSeconds": wish.duration,
        "ProviderId": _PROVIDER,
        "WebIdentityToken": token.value.reveal(),
    }
    return bytearray(json.dumps(asked, separators=(",", ":")).encode())
