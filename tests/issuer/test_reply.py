"""A token in Keystone's answers: what is accepted, what is refused."""

import json
from datetime import UTC, datetime

import pytest

from broker.core.errors import Fault, IamError
from broker.core.model import Named, Validity
from broker.core.secret import Secret
from broker.issuer.reply import parse_reply, parse_validity
from broker.outward.headers import Headers
from tests.issuer.replies import KEY_ID, TOKEN, USER_ID, token_body

HEADERS: Headers = (("X-Subject-Token", TOKEN),)


def parse(headers: Headers = HEADERS, /, **changes: object):
    return parse_reply(201, headers, json.dumps(token_body(**changes)).encode(), 50.0)


def test_a_token_is_taken_over_as_iam_wrote_it():
    reply = parse()
    assert reply.token.value == Secret(TOKEN)
    assert reply.token.digest == Secret(TOKEN).sha256()
    assert reply.token.issued_at == "2026-10-02T08:00:00.000000Z"
    assert reply.token.expires_at == "2026-10-02T20:00:00.000000Z"
    assert reply.token.user == Named(USER_ID, "robot")
    assert reply.token.project == Named("p1", "shop")
    assert reply.token.roles == (Named("r1", "member"), Named("r2", "reader"))
    assert (reply.token.key_id, reply.token.key_expires_at) == (KEY_ID, None)
    assert (reply.token.restricted, reply.token.access_rules) == (True, False)
    assert (reply.lifetime, reply.sent_at, reply.date) == (12 * 3600, 50.0, None)


def test_a_header_is_found_in_any_spelling():
    assert parse((("x-sUBJECT-tOKEN", TOKEN),)).token.value == Secret(TOKEN)


@pytest.mark.parametrize("suffix", ["", "Z", "+00:00"])
def test_a_time_without_offset_is_utc(suffix: str):
    assert parse(expires_at=f"2026-10-02T08:10:00.000000{suffix}").lifetime == 600


def test_an_offset_counts():
    assert parse(expires_at="2026-10-02T17:10:00+09:00").lifetime == 600


def test_iams_date_shortens_the_life_and_the_local_clock_does_not():
    """The reply is from 2026-10; whatever this host believes, it is accepted (L4)."""
    reply = parse((*HEADERS, ("Date", "Fri, 02 Oct 2026 19:00:00 GMT")))
    assert reply.lifetime == 3600
    assert reply.date == datetime(2026, 10, 2, 19, tzinfo=UTC)


@pytest.mark.parametrize("date", ["", "yesterday", "Fri, 99 Oct 2026 19:00:00 GMT", "9" * 5000])
def test_an_unreadable_date_is_no_date(date: str):
    reply = parse((*HEADERS, ("Date", date)))
    assert (reply.date, reply.lifetime) == (None, 12 * 3600)


def test_a_date_after_the_end_is_not_believed():
    assert parse((*HEADERS, ("Date", "Sat, 03 Oct 2026 19:00:00 GMT"))).lifetime == 12 * 3600


@pytest.mark.parametrize("end", ["2026-12-01T00:00:00.000000", "2026-12-01T00:00:00Z"])
def test_the_keys_own_end_is_reported(end: str):
    assert parse(application_credential={"expires_at": end}).token.key_expires_at == end


@pytest.mark.parametrize("restricted", [True, False])
def test_what_the_key_may_do_is_reported(restricted: bool):
    assert parse(application_credential={"restricted": restricted}).token.restricted is restricted


@pytest.mark.parametrize("rules", [[{"id": "r1"}], []])
def test_rules_that_allow_nothing_are_rules(rules: object):
    """Who may do nothing but what is listed, may do nothing where nothing is."""
    assert parse(application_credential={"access_rules": rules}).token.access_rules


@pytest.mark.parametrize(
    "credential",
    [
        None,
        [],
        "x",
        {},
        {"id": 7, "expires_at": 7, "restricted": 1, "access_rules": True},
        {"id": "..", "expires_at": "soon", "restricted": "no", "access_rules": {}},
        {"id": "two words", "expires_at": [], "restricted": None, "access_rules": None},
    ],
)
def test_nonsense_about_the_key_costs_no_token(credential: object):
    """Whether KakaoCloud tells it at all is unknown."""
    token = parse(application_credential=credential).token
    assert (token.key_id, token.key_expires_at, token.restricted, token.access_rules) == (
        None,
        None,
        None,
        False,
    )


@pytest.mark.parametrize(
    "headers",
    [
        (),
        (("X-Subject-Token", ""),),
        (("X-Subject-Token", "two words"),),
        (("X-Subject-Token", "tökén"),),
        (("X-Subject-Token", "a\x7fb"),),
        (("X-Subject-Token", TOKEN), ("x-subject-token", TOKEN)),
    ],
)
def test_a_reply_without_one_plain_token_is_refused(headers: Headers):
    with pytest.raises(IamError) as caught:
        parse(headers)
    assert caught.value.fault is Fault.PROTOCOL


@pytest.mark.parametrize("status", [200, 202, 204, 300])
def test_only_201_brings_a_token(status: int):
    with pytest.raises(IamError) as caught:
        parse_reply(status, HEADERS, json.dumps(token_body()).encode(), 50.0)
    assert caught.value.fault is Fault.PROTOCOL


@pytest.mark.parametrize(
    "changes",
    [
        {"issued_at": None},
        {"issued_at": "2026-10-02"},
        {"issued_at": 1790000000},
        {"expires_at": "2026-13-02T20:00:00Z"},
        {"expires_at": "0000-10-02T20:00:00Z"},
        {"expires_at": "9999-12-31T23:59:59-23:59"},
        {"expires_at": "2026-10-02T08:00:00.000000Z"},
        {"expires_at": "2026-10-02T07:59:59.000000Z"},
        {"user": None},
        {"user": {"id": "u1"}},
        {"user": {"id": "..", "name": "robot"}},
        {"user": {"id": "", "name": "robot"}},
        {"user": {"id": "u1", "name": "\ud800"}},
        {"project": None},
        {"project": {"id": 5, "name": "shop"}},
        {"roles": None},
        {"roles": {"id": "r1"}},
        {"roles": ["member"]},
        {"roles": [{"id": "r1", "name": None}]},
    ],
)
def test_an_inconsistent_token_is_refused(changes: dict[str, object]):
    with pytest.raises(IamError) as caught:
        parse(**changes)
    assert caught.value.fault is Fault.PROTOCOL


def test_a_token_within_the_last_second_has_already_ended():
    with pytest.raises(IamError, match="already ended"):
        parse((*HEADERS, ("Date", "Fri, 02 Oct 2026 19:59:59 GMT")))


def test_validity_is_the_roles_that_the_token_has_now():
    body = json.dumps(token_body(roles=[{"id": "r2", "name": "reader"}])).encode()
    assert parse_validity(200, (), body) == Validity(roles=frozenset({"r2"}), date=None)


def test_validity_tells_iams_clock():
    headers = (("Date", "Fri, 02 Oct 2026 19:00:00 GMT"),)
    validity = parse_validity(200, headers, json.dumps(token_body()).encode())
    assert validity.date == datetime(2026, 10, 2, 19, tzinfo=UTC)


def test_validity_is_told_by_200_alone():
    with pytest.raises(IamError):
        parse_validity(203, (), json.dumps(token_body()).encode())
