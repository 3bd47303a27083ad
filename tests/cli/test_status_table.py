"""The table of `broker status`."""

from typing import Any

from broker.cli.status import render

ROW: dict[str, Any] = {
    "identity": "default",
    "state": "fresh",
    "degraded": [],
    "stale": False,
    "expires_in": 41873,
    "project": {"id": "p", "name": "shop"},
    "roles": ["member", "reader"],
    "key": "k1",
    "last_fault": None,
    "next_try": "2026-01-01T07:00:00Z",
}
TROUBLED = {
    **ROW,
    "identity": "a-longer-name",
    "state": "critical",
    "stale": True,
    "degraded": ["iam_throttled"],
    "last_fault": {"code": "iam_throttled", "count": 12},
}
EMPTY = {**ROW, "identity": "e", "state": "empty", "expires_in": None, "project": None, "roles": []}


def test_columns_stand_under_their_heads():
    lines = render([ROW, TROUBLED, EMPTY]).splitlines()
    assert lines == [
        "IDENTITY       STATE             EXPIRES IN   PROJECT  ROLES           KEY  LAST FAULT           NEXT TRY",
        "default        fresh             11 h 37 min  shop     member, reader  k1   -                    2026-01-01T07:00:00Z",
        "a-longer-name  critical (stale)  11 h 37 min  shop     member, reader  k1   iam_throttled (12x)  2026-01-01T07:00:00Z",
        "e              empty             -            -        -               k1   -                    2026-01-01T07:00:00Z",
    ]


def test_what_is_not_in_order_stands_with_the_state_unless_the_last_fault_says_it():
    row = {**TROUBLED, "degraded": ["iam_throttled", "standby_key_in_use", "roles_reduced"]}
    assert "critical (stale, standby_key_in_use, roles_reduced)" in render([row])
    assert "fresh (iam_throttled)" in render([{**ROW, "degraded": ["iam_throttled"]}])


def test_where_iam_is_not_asked_again_no_time_stands():
    assert render([{**ROW, "next_try": None}]).endswith("  -")


def test_a_token_about_to_end_has_zero_seconds():
    assert "0 s" in render([{**ROW, "expires_in": 0}])


def test_nothing_to_see_is_a_sentence():
    assert render([]) == (
        "There is no identity that you may see; you need a grant (docs/configure.md), "
        "or ask as the broker's own user, or as root outside of any container."
    )
