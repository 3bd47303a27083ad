"""S3 credentials in object storage's XML: each part once and what it must be, or the whole answer is not understood; pure.

- A document type, entities and what is fetched from elsewhere are refused: they make megabytes out of bytes, or requests.
- Whatever arrives, the only exception is IamError; it is raised outside the handler of its cause, because a parser's
  error carries what it read along.
- Names count without their namespace: whether KakaoCloud sends AWS' is not known.
- Time is object storage's own: the end is compared with the answer's `Date`; where that is not told, the life that was
  asked for is believed. No clock of this host is read.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NoReturn

from broker.core.errors import Fault, IamError
from broker.core.s3 import LEAST, S3Keys, S3Reply
from broker.core.secret import Secret
from broker.core.timing import FLOOR, lifetime
from broker.outward.headers import Headers, date

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_WAY = ("AssumeRoleWithWebIdentityResult", "Credentials")
_ROOT = "AssumeRoleWithWebIdentityResponse"
_ID = re.compile(r"[!-~]{1,256}")
_SECRET = re.compile(r"[!-~]{1,8192}")
_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})"
)


def parse_keys(headers: Headers, body: bytes, token: Secret, duration: int, sent_at: float) -> S3Reply:
    """The credentials that were asked for with this token, for so many seconds; `sent_at` is when the request left."""
    found = _root(body)
    for name in _WAY:
        found = _sole(found, name)
    expires = _instant(_text(found, "Expiration", _ID))
    keys = S3Keys(
        access_key_id=_text(found, "AccessKeyId", _ID),
        secret=Secret(_text(found, "SecretAccessKey", _SECRET)),
        session_token=Secret(_text(found, "SessionToken", _SECRET)),
        expires_at=expires,
    )
    if token.is_in(keys.access_key_id.encode()):
        # It is shown and stands in requests' headers.
        odd("its AccessKeyId holds the token")
    clock = date(headers)
    if clock is not None and clock >= expires:
        odd("its credentials have already ended")
    life = lifetime(expires - timedelta(seconds=duration), expires, clock)
    if life <= FLOOR + LEAST:
        odd("its credentials live for a moment only")
    return S3Reply(keys, life, sent_at)


def odd(what: str) -> NoReturn:
    """Refuse the answer. Raises IamError."""
    raise IamError(
        Fault.PROTOCOL,
        f"object storage's answer is not understood: {what}; check that s3.url is KakaoCloud's object storage",
    )


def _root(body: bytes) -> "Element":
    from defusedxml import ElementTree  # noqa: PLC0415  (most brokers are never asked for S3)

    try:
        root: Element | None = ElementTree.fromstring(body, forbid_dtd=True)
    except (ElementTree.ParseError, ValueError, LookupError, RecursionError):
        # What is forbidden is a ValueError.
        root = None
    if root is None or _name(root) != _ROOT:
        odd(f"its body is no {_ROOT}")
    return root


def _sole(parent: "Element", name: str) -> "Element":
    found = [child for child in parent if _name(child) == name]
    if len(found) != 1:
        odd(f"its {name} is missing or stands twice")
    return found[0]


def _text(parent: "Element", name: str, form: re.Pattern[str]) -> str:
    element = _sole(parent, name)
    text = (element.text or "").strip()
    if len(element) or not form.fullmatch(text):
        odd(f"its {name} is none")
    return text


def _name(element: "Element") -> str:
    return element.tag.rpartition("}")[2]


def _instant(text: str) -> datetime:
    when = None
    if _INSTANT.fullmatch(text):
        try:
            when = datetime.fromisoformat(text).astimezone(UTC)
        except (ValueError, OverflowError):
            when = None
    # An hour later and earlier there must be times too, for whoever reckons with it.
    if when is None or not 2 <= when.year <= 9998:
        odd("its Expiration is not a time")
    return when
