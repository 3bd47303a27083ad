"""Statuses of IAM and what they mean for the key (L7); the exceptions are tested on real sockets."""

import ssl

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.core.errors import Fault, IamError
from broker.issuer.endpoint import IAM
from broker.issuer.faults import Operation, refusal
from broker.outward.breakdown import breakdown
from tests.issuer.replies import CANARIES, error_body


@pytest.mark.parametrize(
    ("status", "body", "fault"),
    [
        (401, b"", Fault.REJECTED),
        (401, error_body(401), Fault.REJECTED),
        (404, error_body(404), Fault.REJECTED),
        (404, error_body(405), Fault.PROTOCOL),
        (404, b"<html>not here</html>", Fault.PROTOCOL),
        (404, b"", Fault.PROTOCOL),
        (429, b"", Fault.THROTTLED),
        (500, b"", Fault.UNAVAILABLE),
        (503, error_body(503), Fault.UNAVAILABLE),
        (599, b"", Fault.UNAVAILABLE),
        (407, b"", Fault.UNAVAILABLE),
        (400, error_body(400), Fault.PROTOCOL),
        (403, error_body(403), Fault.PROTOCOL),
        (415, error_body(415), Fault.PROTOCOL),
        (302, b"", Fault.PROTOCOL),
        (200, b"", Fault.PROTOCOL),
        (101, b"", Fault.PROTOCOL),
    ],
)
@pytest.mark.parametrize("operation", list(Operation))
def test_each_status_has_one_meaning(operation: Operation, status: int, body: bytes, fault: Fault):
    assert refusal(operation, status, (), body).fault is fault


@pytest.mark.parametrize("operation", list(Operation))
def test_forbidden_is_a_403_alone(operation: Operation):
    """It says nothing about the token, but much about whoever may ask."""
    forbidden = {status for status in range(100, 600) if refusal(operation, status, (), b"").forbidden}
    assert forbidden == {403}


@pytest.mark.parametrize("status", [429, 503])
def test_a_wish_to_wait_is_passed_on(status: int):
    assert refusal(Operation.ISSUE, status, (("Retry-After", "7"),), b"").retry_after == 7


@pytest.mark.parametrize(
    ("status", "remedy"), [(307, "final address"), (404, "check iam.url"), (407, "login")]
)
def test_the_remedy_is_named(status: int, remedy: str):
    assert remedy in refusal(Operation.ISSUE, status, (), b"").detail


def test_a_dead_key_and_a_dead_token_are_told_apart():
    assert "replace" in refusal(Operation.ISSUE, 401, (), b"").detail
    assert "the token" in refusal(Operation.VALIDATE, 401, (), b"").detail


@given(
    st.sampled_from(list(Operation)), st.integers(100, 999), st.binary() | st.sampled_from([error_body(404)])
)
def test_no_text_of_the_answer_is_repeated(operation: Operation, status: int, body: bytes):
    error = refusal(operation, status, (("Retry-After", CANARIES[0]), ("Location", CANARIES[1])), body)
    assert not any(canary in repr(error) or canary in error.detail for canary in CANARIES)
    assert "Some Title" not in error.detail


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (TimeoutError(), Fault.UNAVAILABLE),
        (aiohttp.ConnectionTimeoutError("x"), Fault.UNAVAILABLE),
        (ConnectionResetError(), Fault.UNAVAILABLE),
        (aiohttp.ServerDisconnectedError(), Fault.UNAVAILABLE),
        (aiohttp.ClientPayloadError("x"), Fault.UNAVAILABLE),
        (EOFError(), Fault.UNAVAILABLE),
        (ssl.SSLError(1, "x"), Fault.UNAVAILABLE),
        (aiohttp.InvalidURL("http://u:p@/"), Fault.UNAVAILABLE),
        (ValueError("x"), Fault.PROTOCOL),
        (aiohttp.ClientError("x"), Fault.PROTOCOL),
    ],
)
def test_each_exception_has_one_meaning(error: Exception, fault: Fault):
    found = breakdown(IAM, error, "iam.example.com:443", proxied=False)
    assert isinstance(found, IamError)
    assert found.fault is fault
    assert ";" in found.detail, "a remedy follows"
