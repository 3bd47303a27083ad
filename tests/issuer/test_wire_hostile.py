"""Whatever arrives in Keystone's place, the only exception is IamError."""

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.core.errors import Fault, IamError
from broker.issuer import wire
from broker.issuer.reply import parse_reply, parse_validity
from broker.outward.headers import Headers
from tests.issuer.replies import TOKEN, token_body

HEADERS: Headers = (("X-Subject-Token", TOKEN), ("Date", "Fri, 02 Oct 2026 09:00:00 GMT"))


def refusal_of(parse: Callable[[], object]) -> IamError | None:
    try:
        parse()
    except IamError as error:
        return error
    return None


def understood_or_refused(body: bytes) -> None:
    """Any other exception ends the test; a decoder's error would carry the body along in the chain."""
    for parse in (
        lambda: parse_reply(201, HEADERS, body, 0.0),
        lambda: parse_validity(200, HEADERS, body),
        lambda: wire.parse_projects(body),
        lambda: wire.parse_key_facts(body),
    ):
        error = refusal_of(parse)
        if error is not None:
            assert error.fault is Fault.PROTOCOL
            assert error.__context__ is None
            assert error.__cause__ is None
    wire.is_keystone_error(body, 404)


@given(st.binary())
def test_any_bytes_are_understood_or_refused(body: bytes):
    understood_or_refused(body)


def trees(leaves: st.SearchStrategy[float]) -> st.SearchStrategy[object]:
    return st.recursive(
        st.none() | st.booleans() | st.integers() | leaves | st.text() | st.just("2026-10-02T09:00:00Z"),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
        max_leaves=6,
    )


ANYTHING = trees(st.floats())
# NaN and Infinity are no JSON, and cost the whole answer wherever they stand.
ANY_JSON = trees(st.floats(allow_nan=False, allow_infinity=False))
KEY_MEMBERS = ["id", "expires_at", "restricted", "unrestricted", "access_rules"]
MEMBERS = ["issued_at", "expires_at", "user", "project", "roles", "application_credential"]


@given(st.dictionaries(st.sampled_from(KEY_MEMBERS), ANY_JSON))
def test_any_key_is_understood_or_refused(key: dict[str, object]):
    """In a token, it costs no token, whatever it says."""
    understood_or_refused(json.dumps({"application_credential": key}).encode())
    body = json.dumps(token_body(application_credential=key)).encode()
    assert refusal_of(lambda: parse_reply(201, HEADERS, body, 0.0)) is None


@given(ANYTHING, st.dictionaries(st.sampled_from(MEMBERS), ANYTHING))
def test_any_json_is_understood_or_refused(document: object, changes: dict[str, object]):
    understood_or_refused(json.dumps(document).encode())
    understood_or_refused(json.dumps({"token": document, "projects": document, "links": document}).encode())
    understood_or_refused(json.dumps(token_body(**changes)).encode())


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 1_000_000,
        b'{"token":' * 100_000,
        b'{"token": NaN}',
        b'{"token": ' + b"9" * 100_000 + b"}",
        b'{"token": 1e999999}',
        b"\xff\xfe{\x00}\x00",
        b"\xef\xbb\xbf{}",
        b'"\xed\xa0\x80"',
    ],
)
def test_hostile_json_is_refused(body: bytes):
    understood_or_refused(body)
    with pytest.raises(IamError):
        parse_reply(201, HEADERS, body, 0.0)


@given(st.lists(st.tuples(st.sampled_from(["X-Subject-Token", "Date", "X"]), st.text()), max_size=4))
def test_any_headers_are_understood_or_refused(headers: list[tuple[str, str]]):
    body = json.dumps(token_body()).encode()
    error = refusal_of(lambda: parse_reply(201, headers, body, 0.0))
    assert error is None or error.fault is Fault.PROTOCOL
