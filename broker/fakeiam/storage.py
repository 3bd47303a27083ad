"""The exchange of KakaoCloud's object storage, emulated: a token for S3 credentials, and who was given which.

Rules:

- The request is as KakaoCloud documents it, and read strictly: `AssumeRoleWithWebIdentity` in JSON, the answer in XML.
- A token that IAM would call dead is refused with 403. What KakaoCloud's own storage answers then is not known; AWS' STS
  has 400 and 403 for it.
- Credentials live as long as was asked for, but no longer than `most`; they outlive their token, as AWS' do.
- They are remembered, so that an S3 server of a test can tell whether a signature is theirs.
"""

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from xml.sax.saxutils import escape

from broker.fakeiam.answer import Answer
from broker.fakeiam.model import RefusedError
from broker.fakeiam.tokens import Tokens

ACTION: Final = "AssumeRoleWithWebIdentity"
PROVIDER: Final = "iam.kakaocloud.com"
LONGEST: Final = 43_200
# Credentials remembered at once. The oldest are forgotten first and are then nobody's.
MOST_KEYS: Final = 10_000
_TYPE: Final = "text/xml; charset=utf-8"


@dataclass(frozen=True, slots=True)
class S3Keys:
    """Credentials as they were given."""

    access_key_id: str
    secret: str = field(repr=False)
    session_token: str = field(repr=False)
    expires_at: datetime
    user_id: str
    region: str


@dataclass(frozen=True, slots=True)
class Trade:
    """What a client asks for."""

    token: str = field(repr=False)
    seconds: int


class Storage:
    """The credentials of one emulator; `most` is the longest life in seconds that new ones get."""

    def __init__(self, tokens: Tokens, clock: Callable[[], datetime]) -> None:
        self._tokens = tokens
        self._clock = clock
        self._given: dict[str, S3Keys] = {}
        self._most = float(LONGEST)

    @property
    def most(self) -> float:
        """Seconds that new credentials live at most."""
        return self._most

    @most.setter
    def most(self, seconds: float) -> None:
        if not 1 <= seconds <= LONGEST:
            raise ValueError(
                "S3 credentials live between 1 second and 12 hours; write it like 90s, 15m or 12h"
            )
        self._most = seconds

    def __len__(self) -> int:
        return len(self._given)

    def find(self, access_key_id: str) -> S3Keys | None:
        """The credentials of this id, whether they have ended or not."""
        return self._given.get(access_key_id)

    def give(self, trade: Trade, region: str) -> S3Keys:
        """New credentials for a good token; RefusedError otherwise."""
        token = self._tokens.find(trade.token)
        if token is None:
            raise RefusedError(403, "AccessDenied")
        try:
            self._tokens.roles(token)
        except RefusedError:
            raise RefusedError(403, "AccessDenied") from None
        ends = (self._clock() + timedelta(seconds=min(trade.seconds, self._most))).replace(microsecond=0)
        keys = S3Keys(
            f"FAKE{secrets.token_hex(8).upper()}",
            secrets.token_urlsafe(30),
            secrets.token_urlsafe(120),
            ends,
            token.key.user_id,
            region,
        )
        while len(self._given) >= MOST_KEYS:
            del self._given[next(iter(self._given))]
        self._given[keys.access_key_id] = keys
        return keys


def read_trade(body: bytes, content_type: str | None) -> Trade:
    """What a request asks for; RefusedError 400 for a wrong shape."""
    if content_type is None or content_type.partition(";")[0].strip().lower() != "application/json":
        raise RefusedError(400, "InvalidRequest")
    try:
        tree = json.loads(body)
    except (ValueError, RecursionError):
        tree = None
    if not isinstance(tree, dict) or tree.get("Action") != ACTION:
        raise RefusedError(400, "InvalidAction")
    seconds, token = tree.get("DurationSeconds"), tree.get("WebIdentityToken")
    if tree.get("ProviderId") != PROVIDER or not isinstance(token, str) or not token:
        raise RefusedError(400, "InvalidIdentityToken")
    # `True == 1`, and JSON has no other whole numbers than these.
    if type(seconds) is not int or not 1 <= seconds <= LONGEST:
        raise RefusedError(400, "ValidationError")
    return Trade(token, seconds)


def shown(keys: S3Keys) -> Answer:
    """The answer that gives them."""
    parts = {
        "AccessKeyId": keys.access_key_id,
        "SecretAccessKey": keys.secret,
        "SessionToken": keys.session_token,
        "Expiration": instant(keys.expires_at),
    }
    inner = "".join(f"<{name}>{escape(text)}</{name}>" for name, text in parts.items())
    credentials = f"<Credentials>{inner}</Credentials>"
    return _xml(200, f"{ACTION}Response", f"<{ACTION}Result>{credentials}</{ACTION}Result>")


def refused(error: RefusedError) -> Answer:
    """The answer that says no; the text of the error is the code."""
    return _xml(error.code, "ErrorResponse", f"<Error><Code>{escape(error.message)}</Code></Error>")


def instant(when: datetime) -> str:
    """A time in an answer."""
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")


def _xml(status: int, root: str, inner: str) -> Answer:
    space = "https://sts.amazonaws.com/doc/2011-06-15/"
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n<{root} xmlns="{space}">{inner}</{root}>\n'
    return Answer(status, text=text, content_type=_TYPE)
