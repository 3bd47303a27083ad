"""The JSON of Keystone besides its tokens: what leaves, what is accepted, what is refused."""

import json

import pytest

from broker.core.errors import Fault, IamError
from broker.core.model import KeyById, KeyByName, KeyFacts
from broker.core.secret import Secret
from broker.issuer import wire
from tests.issuer.replies import KEY_ID, SECRET, USER_ID, key_body, project_page


def test_method_1_is_exactly_kakaoclouds_body():
    body = wire.issue_body(KeyById(KEY_ID, Secret(SECRET)))
    assert json.loads(body) == {
        "auth": {
            "identity": {
                "methods": ["application_credential"],
                "application_credential": {"id": KEY_ID, "secret": SECRET},
            }
        }
    }


def test_method_2_is_exactly_kakaoclouds_body():
    body = wire.issue_body(KeyByName("열쇠", USER_ID, Secret(SECRET)))
    assert json.loads(body) == {
        "auth": {
            "identity": {
                "methods": ["application_credential"],
                "application_credential": {"name": "열쇠", "secret": SECRET, "user": {"id": USER_ID}},
            }
        }
    }


def test_a_project_page_and_its_next():
    rows, following = wire.parse_projects(project_page("p1", following="http://x/next"))
    assert rows == ({"id": "p1", "name": "name of p1", "domain_id": "d1", "enabled": True},)
    assert following == "http://x/next"


@pytest.mark.parametrize("links", [b"{}", b"null", b'{"next": null}'])
def test_the_last_page_has_no_next(links: bytes):
    body = b'{"projects": [{"id": "p1", "name": "n"}], "links": ' + links + b"}"
    assert wire.parse_projects(body) == (({"id": "p1", "name": "n"},), None)


@pytest.mark.parametrize(
    "body",
    [
        b'{"projects": {}}',
        b'{"projects": [1]}',
        b'{"projects": [], "links": []}',
        b'{"projects": [], "links": {"next": 1}}',
        b'{"projects": [{"id": "p1"}]}',
        b'{"projects": [{"id": 1, "name": "n"}]}',
    ],
)
def test_an_odd_project_page_is_refused(body: bytes):
    with pytest.raises(IamError) as caught:
        wire.parse_projects(body)
    assert caught.value.fault is Fault.PROTOCOL


def test_a_key_as_its_owner_sees_it():
    assert wire.parse_key_facts(key_body()) == KeyFacts(expires_at=None, restricted=True, access_rules=False)


@pytest.mark.parametrize("end", ["2026-12-01T00:00:00.000000", "2026-12-01T00:00:00Z"])
def test_a_keys_end_is_taken_over_as_iam_wrote_it(end: str):
    """Keystone leaves the Z away there, and means UTC."""
    assert wire.parse_key_facts(key_body(expires_at=end)).expires_at == end


@pytest.mark.parametrize(
    ("unrestricted", "restricted"), [(True, False), (False, True), (None, True), (..., None)]
)
def test_restricted_is_the_opposite_of_unrestricted(unrestricted: object, restricted: bool | None):
    """Null is what Keystone keeps where nobody asked for it; a key that leaves it out tells nothing."""
    assert wire.parse_key_facts(key_body(unrestricted=unrestricted)).restricted is restricted


@pytest.mark.parametrize(
    ("rules", "there"), [([{"id": "r1"}], True), ([], True), (None, False), (..., False)]
)
def test_rules_that_allow_nothing_are_rules(rules: object, there: bool):
    assert wire.parse_key_facts(key_body(access_rules=rules)).access_rules is there


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b'{"application_credential": []}',
        b'{"application_credential": {}}',
        key_body(expires_at=...),
        key_body(expires_at=7),
        key_body(expires_at=""),
        key_body(expires_at="soon"),
        key_body(unrestricted="no"),
        key_body(unrestricted=0),
        key_body(access_rules={}),
        key_body(access_rules="none"),
    ],
)
def test_an_odd_key_is_refused(body: bytes):
    """A key must not seem to last for ever by mistake."""
    with pytest.raises(IamError) as caught:
        wire.parse_key_facts(body)
    assert caught.value.fault is Fault.PROTOCOL


@pytest.mark.parametrize(
    ("body", "ours"),
    [
        (b'{"error": {"code": 404, "message": "m", "title": "Not Found"}}', True),
        (b'{"error": {"code": 401, "message": "m", "title": "Not Found"}}', False),
        (b'{"error": {"code": "404", "message": "m", "title": "Not Found"}}', False),
        (b'{"error": {"code": 404.0, "message": "m", "title": "Not Found"}}', False),
        (b'{"error": {"code": 404}}', False),
        (b'{"error": []}', False),
        (b"[]", False),
        (b"<html>404</html>", False),
        (b"", False),
        (b"[" * 200_000, False),
    ],
)
def test_keystones_own_error_is_told_from_a_strangers(body: bytes, ours: bool):
    assert wire.is_keystone_error(body, 404) is ours
