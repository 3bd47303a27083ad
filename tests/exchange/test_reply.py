"""Object storage's XML: what is taken, and what is refused whole."""

from datetime import UTC, datetime
from typing import Final

import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st

from broker.core.errors import Fault, IamError
from broker.core.secret import Secret
from broker.exchange.reply import parse_keys
from tests.exchange.answers import CANARIES, DATE, PARTS, S3_SECRET, SESSION, document
from tests.issuer.replies import TOKEN

DATED: Final = (("Date", DATE),)
BOMB: Final = '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
OUTSIDE: Final = '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a SYSTEM "file:///etc/passwd">]>'


def parsed(body: bytes, headers: tuple[tuple[str, str], ...] = DATED, duration: int = 1800):
    return parse_keys(headers, body, Secret(TOKEN), duration, 50.0)


def refused(body: bytes, headers: tuple[tuple[str, str], ...] = DATED) -> IamError:
    with pytest.raises(IamError) as caught:
        parsed(body, headers)
    error = caught.value
    assert error.fault is Fault.PROTOCOL
    assert error.__context__ is None, "a parser's error would lead to what it read"
    assert not any(canary in f"{error} {error!r} {error.detail}" for canary in CANARIES)
    return error


@pytest.mark.parametrize("space", ["", ' xmlns="https://sts.amazonaws.com/doc/2011-06-15/"'])
def test_all_four_parts_are_taken_whatever_their_namespace(space: str):
    found = parsed(document(space))
    assert (found.keys.access_key_id, found.keys.expires_at) == (
        PARTS["AccessKeyId"],
        datetime(2026, 10, 2, 8, 30, tzinfo=UTC),
    )
    assert (found.keys.secret.reveal(), found.keys.session_token.reveal()) == (S3_SECRET, SESSION)
    assert (found.lifetime, found.sent_at) == (1800.0, 50.0)
    assert not any(canary in repr(found) for canary in CANARIES)


@pytest.mark.parametrize(
    ("headers", "expiration", "life"),
    [
        (DATED, "2026-10-02T08:10:00Z", 600.0),  # it gives less than was asked for
        (DATED, "2026-10-02T17:10:00.5+09:00", 600.5),
        (DATED, "2026-10-02T09:30:00Z", 1800.0),  # or more, which is not counted on
        ((), "2026-10-02T08:10:00Z", 1800.0),  # nothing else is known
    ],
)
def test_a_life_is_told_by_object_storages_own_clock(
    headers: tuple[tuple[str, str], ...], expiration: str, life: float
):
    assert parsed(document(Expiration=expiration), headers).lifetime == life


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "its body is no"),
        (b"\xff\xfe<", "its body is no"),
        (b'{"AccessKeyId": "x"}', "its body is no"),
        (b"<a/>", "its body is no"),
        (document()[:-1], "its body is no"),
        (document(head='<?xml version="1.0" encoding="no-such"?>'), "its body is no"),
        (document(head=BOMB, AccessKeyId="&b;"), "its body is no"),
        (document(head=OUTSIDE, AccessKeyId="&a;"), "its body is no"),
        (document(head='<?xml version="1.0"?><!DOCTYPE a>'), "its body is no"),
        (document(SecretAccessKey=None), "SecretAccessKey is missing"),
        (document(AccessKeyId="x</AccessKeyId><AccessKeyId>y"), "AccessKeyId is missing or stands twice"),
        (document(SessionToken=""), "SessionToken is none"),
        (document(SessionToken="a b"), "SessionToken is none"),
        (document(SessionToken="\u00e9"), "SessionToken is none"),
        (document(SecretAccessKey="<b>x</b>"), "SecretAccessKey is none"),
        (document(AccessKeyId="x" * 257), "AccessKeyId is none"),
        (document(AccessKeyId=TOKEN), "AccessKeyId holds the token"),
        (document(Expiration="tomorrow"), "Expiration is not a time"),
        (document(Expiration="2026-10-02T08:30:00"), "Expiration is not a time"),
        (document(Expiration="0001-01-01T00:00:00Z"), "Expiration is not a time"),
        (document(Expiration="9999-12-31T23:59:59Z"), "Expiration is not a time"),
        (document(Expiration="2026-10-02T08:00:00Z"), "already ended"),
        (document(Expiration="2026-10-02T08:00:03Z"), "a moment only"),
    ],
)
def test_half_credentials_are_none(body: bytes, words: str):
    error = refused(body)
    assert words in error.detail
    assert "s3.url" in error.detail, "the remedy"


def test_what_nests_without_end_is_refused():
    refused(b"<a>" * 80_000)
    refused(b"<a>" * 30_000 + b"</a>" * 30_000)


@drawn(st.binary() | st.text().map(lambda text: document(Expiration=text.replace("<", ""))))
def test_whatever_arrives_the_only_exception_is_ours(body: bytes):
    try:
        parsed(body)
    except IamError as error:
        assert error.fault is Fault.PROTOCOL  # noqa: PT017  (it need not be raised)
