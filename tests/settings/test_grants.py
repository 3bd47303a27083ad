"""Grants as they are written, what they become, and the sentences of broken ones."""

import json
from pathlib import Path

import pytest

from broker.core import access
from broker.core.access import Owner, Workload
from broker.settings import Account, Refresh, cautions, load
from tests.settings.broken import GOOD, told_of

NO_LISTENER = "is no listener of this configuration; correct it, or add it under [[listen]]"
NEVER = (
    "can never match, because over TCP only users are proven, neither groups nor units; "
    "name users, or let it hold on a Unix socket"
)
NO_PORT = (
    "can never match, because only the open socket knows its port; "
    "choose a port for it under [[listen]], or name another listener"
)
NO_USER = "is no user of this host; create the user, or give its name or number"
NO_GROUP = "is no group of this host; create the group, or give its name or number"
NO_UNIT = 'is not the whole name of a unit; write it like "app.service" or "user-1001.slice"'
ELSEWHERE = (
    "can never match, because each listener where it holds is limited to other identities; "
    "add the identity to the `identities` of one, or name another listener"
)
BOUNDS = "is out of bounds; choose a number between 0 and 4294967294"
NEITHER = 'is neither a name nor a number; write it like "app" or 1001'
TCP = '[[listen]]\ntcp = "127.0.0.1:9780"\n'
VARIABLES = {
    "KAKAOCLOUD_BROKER_IDENTITIES": '{"default": {"keys": ["/k"]}, "shop": {"keys": ["/l"]}}',
    "KAKAOCLOUD_BROKER_LISTEN": json.dumps(
        [{"unix": "/s", "identities": ["shop"]}, {"tcp": "127.0.0.1:9780"}, {"tcp": "[0::1]:9780"}]
    ),
    "KAKAOCLOUD_BROKER_GRANTS": json.dumps(
        [
            {
                "identity": "default",
                "users": ["root", 1001, "1002"],
                "groups": ["root", "50"],
                "units": ["app@1.service", "user-1001.slice"],
            },
            {"identity": "shop", "any": True, "listeners": ["/s", "[::1]:9780", "127.0.0.1:9780"]},
        ]
    ),
    "KAKAOCLOUD_BROKER_SERVING__HOSTS": '["Broker.Internal.", "10.0.0.1", "fd00:0::1"]',
    "KAKAOCLOUD_BROKER_REFRESH__EARLIEST": "0.4",
}


def grant(*lines: str) -> str:
    return "\n".join(["[[grants]]", *lines, ""])


def default(*lines: str) -> str:
    return grant('identity = "default"', *lines)


def test_wholly_from_variables():
    settings = load(None, VARIABLES)
    policy = settings.policy(owner := Owner(1, in_container=True))
    assert settings.grants[0].users == (Account(0, "root"), Account(1001), Account(1002))
    assert policy == access.Policy(
        owner,
        (
            access.Grant(
                "default",
                frozenset({0, 1001, 1002}),
                frozenset({0, 50}),
                frozenset({"app@1.service", "user-1001.slice"}),
            ),
            access.Grant("shop", listeners=frozenset({"/s", "[::1]:9780", "127.0.0.1:9780"}), anyone=True),
        ),
        {"/s": frozenset({"shop"})},
    )
    assert settings.serving.hosts == ("broker.internal", "10.0.0.1", "[fd00::1]")
    assert settings.refresh == Refresh(earliest=0.4, latest=0.75, critical=0.9)


@pytest.mark.parametrize(
    ("uid", "listener", "identity", "may"),
    [
        (1001, "127.0.0.1:9780", "default", True),
        (1003, "127.0.0.1:9780", "default", False),
        (1001, "/s", "default", False),  # the socket is limited to the other
        (1003, "/s", "shop", True),
        (1003, "[::1]:9780", "shop", True),
    ],
)
def test_what_they_come_to(uid: int, listener: str, identity: str, may: bool):
    policy = load(None, VARIABLES).policy(Owner(1, in_container=True))
    assert policy.may_read(Workload(uid, None, 0, listener), identity).allowed is may


def test_the_default_listeners_can_be_named(tmp_path: Path):
    path = tmp_path / "broker.toml"
    path.write_text(
        '[identities.default]\nkeys = ["/k"]\n' + default("users = [1]", 'listeners = ["[::1]:9780"]')
    )
    settings = load(path, {"RUNTIME_DIRECTORY": "/run/x"})
    assert settings.grants[0].listeners == ("[::1]:9780",)


@pytest.mark.parametrize(
    ("addition", "told"),
    [
        (
            grant('identity = "defualt"', "users = [1]"),
            [
                (
                    "F, grants[0].identity: is no identity of this configuration; "
                    "correct the name, or add [identities.NAME]"
                )
            ],
        ),
        (grant("users = [1]"), ["F, grants[0].identity: is missing; add it"]),
        (default('users = ["root", "no such user"]'), [f"F, grants[0].users[1]: {NO_USER}"]),
        (
            default('groups = ["no such group", ""]'),
            [f"F, grants[0].groups[{i}]: {NO_GROUP}" for i in (0, 1)],
        ),
        (
            default(f'users = [-1, 4294967295, "4294967295", true, 1.5, "{"9" * 5000}"]'),
            [
                *[f"F, grants[0].users[{index}]: {BOUNDS}" for index in (0, 1, 2)],
                *[f"F, grants[0].users[{index}]: {NEITHER}" for index in (3, 4)],
                f"F, grants[0].users[5]: {BOUNDS}",
            ],
        ),
        (default(), ["F, grants[0]: names nobody; add users, groups, units, or any = true with listeners"]),
        (
            default("any = true"),
            [
                (
                    "F, grants[0]: grants `any` on every listener; "
                    "name under `listeners` where whoever reaches them may read"
                )
            ],
        ),
        (
            default("any = true", "users = [1]", 'listeners = ["/s"]'),
            ["F, grants[0]: grants both `any` and some by name; keep `any`, or keep users, groups and units"],
        ),
        (
            default("users = [1]", 'listeners = ["/s", "/t", "127.0.0.1:1", "s", "localhost:1"]'),
            [
                f"F, grants[0].listeners[1]: {NO_LISTENER}",
                f"F, grants[0].listeners[2]: {NO_LISTENER}",
                (
                    "F, grants[0].listeners[3]: is neither the path of a socket nor an address; "
                    "name a listener as [[listen]] does"
                ),
                (
                    "F, grants[0].listeners[4]: holds a name, not an address; "
                    'write it like "127.0.0.1:9780" or "[::1]:9780"'
                ),
            ],
        ),
        (
            '[[listen]]\ntcp = "[::]:1"\nserve = ["health"]\n'
            + default("users = [1]", 'listeners = ["[0::]:1"]'),
            [
                (
                    "F, grants[0].listeners[0]: serves no tokens, so that nobody can read there; "
                    'add "tokens" to its `serve`, or remove it'
                )
            ],
        ),
        (TCP + default("groups = [0]", 'listeners = ["127.0.0.1:9780"]'), [f"F, grants[0].groups: {NEVER}"]),
        (
            '[[listen]]\ntcp = "127.0.0.1:0"\n[[listen]]\nunix = "/x:0"\n[[listen]]\ntcp = "[::1]:10"\n'
            + default("any = true", 'listeners = ["/x:0", "[::1]:10", "127.0.0.1:0"]'),
            [f"F, grants[0].listeners[2]: {NO_PORT}"],
        ),
        (
            default("users = [1]", 'listeners = ["/x/../s"]'),
            [
                "F, grants[0].listeners[0]: leads through `..`, and a socket goes by one name; write the path without .."
            ],
        ),
        (
            default('units = ["app", "app@.service", "app.timer", "a/b.service", 7, "app*.service"]'),
            [
                *[f"F, grants[0].units[{index}]: {NO_UNIT}" for index in (0, 1, 2, 3)],
                "F, grants[0].units[4]: is not text; put the value in quotes",
                f"F, grants[0].units[5]: {NO_UNIT}",
            ],
        ),
        (
            TCP + default('units = ["a.service"]', 'listeners = ["127.0.0.1:9780"]'),
            [f"F, grants[0].units: {NEVER}"],
        ),
        (
            '[identities.other]\nkeys = ["/k"]\n[[listen]]\nunix = "/t"\nidentities = ["other"]\n'
            + default("users = [1]", 'listeners = ["/t"]'),
            [f"F, grants[0].identity: {ELSEWHERE}"],
        ),
        (
            default('user = ["app"]'),
            ["F, grants[0].user: is not a known setting; did you mean `grants[0].users`?"],
        ),
        (
            "[refresh]\nearliest = 0.9\n",
            [
                (
                    "F, refresh: has earliest (0.9), latest (0.75) and critical (0.9) out of order; "
                    "choose earliest <= latest < critical"
                )
            ],
        ),
        (
            '[refresh]\nearliest = "half"\nlatest = true\ncritical = 1\n',
            [
                "F, refresh.earliest: is not a fraction; write it like 0.5",
                "F, refresh.latest: is not a fraction; write it like 0.5",
                "F, refresh.critical: is out of bounds; choose a fraction of at least 0.1 and below 1",
            ],
        ),
    ],
)
def test_a_broken_grant(tmp_path: Path, addition: str, told: list[str]):
    assert told_of(addition, tmp_path) == told


def test_groups_can_never_match_where_all_is_tcp(tmp_path: Path):
    told = told_of(default("groups = [0]"), tmp_path, good=f'[identities.default]\nkeys = ["/k"]\n{TCP}')
    assert told == [f"F, grants[0].groups: {NEVER}"]


def test_groups_beside_users_are_left_alone(tmp_path: Path):
    path = tmp_path / "broker.toml"
    path.write_text(GOOD + TCP + default("users = [1]", "groups = [0]", 'listeners = ["127.0.0.1:9780"]'))
    assert len(load(path, {}).grants) == 1


def test_a_broken_listener_is_not_also_blamed_on_the_grant(tmp_path: Path):
    told = told_of(
        '[[listen]]\ntcp = "localhost:1"\n' + default("users = [1]", 'listeners = ["/t"]'), tmp_path
    )
    assert [line.partition(":")[0] for line in told] == ["F, listen[1].tcp"]


@pytest.mark.parametrize(
    ("addition", "what"),
    [
        (
            default("users = [1]", 'units = ["a.service"]', 'listeners = ["127.0.0.1:9780"]'),
            "over TCP only users are proven",
        ),
        (default('units = ["a.service"]'), "no systemd runs here"),
    ],
)
def test_what_may_match_nobody_is_worth_a_word(tmp_path: Path, monkeypatch, addition: str, what: str):
    monkeypatch.setattr(cautions, "SYSTEMD", tmp_path / "nowhere")
    path = tmp_path / "broker.toml"
    path.write_text(GOOD + TCP + addition)
    doubts = [doubt for doubt in cautions.cautions(load(path, {})) if doubt.where.startswith("grants[0]")]
    assert any(what in doubt.what for doubt in doubts)
    monkeypatch.setattr(cautions, "SYSTEMD", tmp_path)
    assert len([each for each in cautions.cautions(load(path, {})) if each.where == "grants[0].units"]) == 0
