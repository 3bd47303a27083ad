"""Reading the body of a POST for a token."""

import json
from typing import Any

import pytest

from broker.fakeiam.claims import Exchange, read_claim
from broker.fakeiam.model import Claim, RefusedError
from broker.fakeiam.server import FakeIam

JSON = "application/json"


def body(credential: object, methods: object = ("application_credential",), **more: object) -> bytes:
    identity: dict[str, Any] = {"methods": methods, "application_credential": credential}
    return json.dumps({"auth": {"identity": identity, **more}}).encode()


def code(iam: FakeIam, text: bytes, content_type: str | None = JSON) -> int:
    with pytest.raises(RefusedError) as refused:
        read_claim(text, content_type, iam.realm)
    return refused.value.code


def test_both_methods_are_read(iam: FakeIam):
    """By id, by name with the user's id, and by name with the user's name and domain."""
    by_id = read_claim(body({"id": "i", "secret": "s"}), JSON, iam.realm)
    assert by_id == Claim("s", key_id="i")
    by_name = read_claim(body({"name": "n", "secret": "s", "user": {"id": "u"}}), JSON, iam.realm)
    assert by_name == Claim("s", name="n", user_id="u")
    user = {"name": iam.user.name, "domain": {"id": iam.realm.domain_id}}
    by_user_name = read_claim(body({"name": "n", "secret": "s", "user": user}), JSON, iam.realm)
    assert by_user_name == Claim("s", name="n", user_id=iam.user.id)


def test_an_exchange_is_read(iam: FakeIam):
    """`methods: ["token"]` carries the old token."""
    text = json.dumps({"auth": {"identity": {"methods": ["token"], "token": {"id": "t"}}}}).encode()
    assert read_claim(text, JSON, iam.realm) == Exchange("t")


@pytest.mark.parametrize("content_type", [None, "text/plain", "application/x-www-form-urlencoded", ""])
def test_any_other_content_type_is_400(iam: FakeIam, content_type: str | None):
    """KakaoCloud has required application/json since 2026-04-02."""
    assert code(iam, body({"id": "i", "secret": "s"}), content_type) == 400


def test_parameters_of_the_content_type_are_fine(iam: FakeIam):
    """A charset, and any case."""
    text = body({"id": "i", "secret": "s"})
    assert read_claim(text, "Application/JSON; charset=utf-8", iam.realm) == Claim("s", key_id="i")


@pytest.mark.parametrize(
    "text",
    [
        body({"id": "i", "secret": "s"}, scope=None),
        b"",
        b"{",
        b"[]",
        b"{}",
        b"\xff",
        b"[" * 100_000,
        b'{"auth": {"identity": {}}}',
        b'{"auth": {"identity": {"methods": [1]}}}',
        body("x"),
        body({"name": "n", "secret": "s"}),
        body({"name": "n", "secret": "s", "user": {}}),
    ],
)
def test_a_wrong_shape_is_400(iam: FakeIam, text: bytes):
    """The schema comes before anything else."""
    assert code(iam, text) == 400


@pytest.mark.parametrize("methods", [["password"], ["dance"], ["application_credential", "password"]])
def test_a_method_without_its_part_is_400(iam: FakeIam, methods: list[str]):
    """Known or not: the shape comes first."""
    assert code(iam, body({"id": "i", "secret": "s"}, methods)) == 400


@pytest.mark.parametrize("methods", [["password"], [], ["token", "password"]])
def test_other_methods_are_401(iam: FakeIam, methods: list[str]):
    """There are no passwords here."""
    identity = {"methods": methods, "password": {}, "token": {"id": "t"}}
    assert code(iam, json.dumps({"auth": {"identity": identity}}).encode()) == 401


@pytest.mark.parametrize("scope", ["unscoped", {"project": {"id": "p"}}, {}])
def test_any_scope_is_401(iam: FakeIam, scope: object):
    """An application credential has its scope built in."""
    assert code(iam, body({"id": "i", "secret": "s"}, scope=scope)) == 401


@pytest.mark.parametrize("credential", [{"id": "i"}, {"id": "i", "secret": None}, {"id": "i", "secret": 1}])
def test_a_missing_secret_is_a_wrong_one(iam: FakeIam, credential: object):
    """Keystone answers it like any wrong secret, and takes an id that is no text as an unknown one."""
    assert read_claim(body(credential), JSON, iam.realm) == Claim("", key_id="i")
    assert read_claim(body({"id": 1, "secret": "s"}), JSON, iam.realm) == Claim("s", key_id="1")
