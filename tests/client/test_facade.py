"""Where the facade is, as a client takes it from the broker: believed as far as it is a port of this host."""

from pathlib import Path

import pytest

from broker.client import facade
from broker.client.address import UnixAddress
from broker.client.failures import ClientError, Denied, Unreachable
from tests.client.scripted import answered, scripted

URL = "http://127.0.0.1:9780/identity/v3"
BESIDE = "http://[::1]:9780/identity/v3"
GOOD = {"identity": "shop", "urls": [URL, BESIDE], "client_secret": True}


def found(folder: Path, identity: str | None, status: int, body: object) -> facade.Facade:
    with scripted(folder / "s", answered(status, body)) as seen:
        made = facade.find(UnixAddress(str(folder / "s"), named=True), identity)
    target = "/v1/facade" if identity is None else f"/v1/identities/{identity}/facade"
    assert seen[0].startswith(f"GET {target} HTTP/1.1\r\n".encode())
    return made


@pytest.mark.parametrize("identity", [None, "shop"])
def test_the_first_of_the_listeners_is_taken(tmp_path: Path, identity: str | None):
    made = found(tmp_path, identity, 200, GOOD)
    assert (made.identity, made.url, made.client_secret) == ("shop", URL, True)
    assert made.s3_credentials == "http://127.0.0.1:9780/v1/identities/shop/s3-credentials"


def test_an_address_of_ipv6_is_one_too(tmp_path: Path):
    assert found(tmp_path, None, 200, {**GOOD, "urls": [BESIDE]}).server == "http://[::1]:9780"


@pytest.mark.parametrize(
    "url",
    [
        "http://iam.example/identity/v3",
        "https://127.0.0.1:1/identity/v3",
        "http://127.0.0.1:9780",
        "http://127.0.0.1:9780/x/identity/v3",
        "http://a:b@127.0.0.1:9780/identity/v3",
        "unix:///s/identity/v3",
        "http://127.0.0.1:0/identity/v3",
        "http://127.0.0.1:1\n:9780/identity/v3",
        1,
    ],
)
def test_an_address_elsewhere_is_not_believed(tmp_path: Path, url: object):
    """Rule: a program that is sent there shows its client secret."""
    with pytest.raises(Unreachable, match="not understood"):
        found(tmp_path, None, 200, {**GOOD, "urls": [url]})


@pytest.mark.parametrize(
    "other", [{"identity": 1}, {"identity": "a/b"}, {"urls": []}, {"urls": "x"}, {"client_secret": "no"}]
)
def test_what_is_no_answer_of_a_broker_is_told(tmp_path: Path, other: dict[str, object]):
    with pytest.raises(ClientError):
        found(tmp_path, None, 200, {**GOOD, **other})


def test_a_refusal_is_told_in_the_brokers_words(tmp_path: Path):
    with pytest.raises(Denied, match="over TCP only"):
        found(tmp_path, "shop", 403, {"code": "access_denied", "detail": "over TCP only"})
