"""What `broker check` says of client secrets: their problems, where one is recommended, and never what they are."""

from pathlib import Path
from typing import Any

import pytest

from broker.cli.check import summary
from broker.settings import Settings
from broker.settings.cautions import cautions
from tests.app.whole import key_folder
from tests.cli.command import Ended, broker

CANARY = "canary-client-secret"
BOTH = [{"unix": "/nowhere/s"}, {"tcp": "127.0.0.1:9780"}]
TCP = "127.0.0.1:9780"
WHAT = (
    "has no client secret, and several users share this host: unmodified OpenStack clients present a placeholder over "
    "TCP, so that the kernel's proof of the user is all that stands between them"
)


def doubted(
    grants: list[dict[str, Any]], listen: list[dict[str, Any]] | None = None, **files: str
) -> list[str]:
    """The identities for which a client secret is recommended; there are `a` and `b`."""
    identities = {
        name: {"keys": ["/k"]} | ({"client_secret_file": files[name]} if name in files else {})
        for name in "ab"
    }
    tree = {"listen": listen or BOTH, "identities": identities, "grants": grants}
    doubts = cautions(Settings.model_validate(tree))
    return [doubt.where.removeprefix("identities.") for doubt in doubts if doubt.what == WHAT]


def grant(identity: str, *users: int, **more: object) -> dict[str, Any]:
    return {"identity": identity, "users": list(users), **more}


def test_what_is_recommended_says_the_risk_and_how_a_secret_is_made():
    tree = {"listen": BOTH, "identities": {"a": {"keys": ["/k"]}}, "grants": [grant("a", 1001, 1002)]}
    assert [str(doubt) for doubt in cautions(Settings.model_validate(tree))] == [
        (
            f"identities.a: {WHAT}; write what openssl rand -hex 32 prints into a file that the broker alone may read, "
            'and name it: client_secret_file = "/etc/kakaocloud-broker/client-secrets/a"'
        )
    ]


@pytest.mark.parametrize(
    "grants",
    [
        [grant("a", 1001, 1002)],
        [grant("a", 1001), grant("a", 1002, listeners=[TCP])],
        [grant("a", any=True, listeners=[TCP])],
        [grant("a", 1001, groups=[50])],
        [grant("a", 1001), grant("b", 1002, listeners=["/nowhere/s"])],
        [grant("a", 1001), grant("b", groups=[50], listeners=["/nowhere/s"])],
        [grant("a", 1001), grant("b", any=True, listeners=["/nowhere/s"])],
    ],
)
def test_where_several_users_share_the_host_it_is_recommended_for_what_is_to_be_had_over_tcp(
    grants: list[dict[str, Any]],
):
    assert doubted(grants) == ["a"]
    assert doubted(grants, a="/a") == [], "where there is one, nothing is missing"
    assert doubted(grants, b="/b") == ["a"], "another identity's is no help"


def test_each_identity_of_two_users_is_told():
    assert doubted([grant("a", 1001), grant("b", 1002)]) == ["a", "b"]


@pytest.mark.parametrize(
    "grants",
    [
        [],  # the broker's own user alone
        [grant("a", 1001)],
        [grant("a", 1001), grant("b", 1001)],
        [grant("a", 1001, units=["app.service"])],  # which may well be that user's
        [grant("a", groups=[50])],  # no group is proven over TCP
        [grant("a", 1001, 1002, listeners=["/nowhere/s"])],
        [grant("a", any=True, listeners=["/nowhere/s"])],
    ],
)
def test_where_one_user_alone_or_nobody_reads_over_tcp_nothing_is_said(grants: list[dict[str, Any]]):
    assert doubted(grants) == []


@pytest.mark.parametrize(
    "listen",
    [
        BOTH[:1],
        [BOTH[0], {"tcp": TCP, "identities": ["b"]}],
        [BOTH[0], {"tcp": TCP, "serve": ["health"]}],
    ],
)
def test_what_no_listener_serves_over_tcp_needs_none(listen: list[dict[str, Any]]):
    assert doubted([grant("a", 1001, 1002)], listen) == []


def test_the_summary_names_the_file():
    tree = {"listen": BOTH, "identities": {"a": {"keys": ["/k"], "client_secret_file": "/c/a"}}}
    lines = list(summary(Settings.model_validate(tree), None, {}))
    assert "  a: key from /k; IAM at https://iam.kakaocloud.com/identity/v3; client secret from /c/a" in lines


async def checked(folder: Path, content: str, mode: int = 0o600, keys: str = "keys") -> Ended:
    key_folder(folder / "keys", "an-id", "a-secret")
    secret = folder / "client-secret"
    secret.write_text(content)
    secret.chmod(mode)
    config = folder / "broker.toml"
    config.write_text(
        f'[identities.default]\nkeys = ["{folder}/{keys}"]\nclient_secret_file = "{secret}"\n'
        f'[[listen]]\nunix = "{folder}/s"\n'
    )
    ended = await broker("check", "--config", str(config))
    run = await broker("run", "--config", str(config)) if ended.code else ended
    assert (run.code, run.err) == (ended.code, ended.err), "`run` says the same"
    assert CANARY not in ended.out + ended.err
    return ended


async def test_a_good_file_is_read_and_not_shown(tmp_path: Path):
    ended = await checked(tmp_path, f"{CANARY}\n")
    assert (ended.code, ended.err) == (0, "")
    assert f"; client secret from {tmp_path}/client-secret\n" in ended.out


async def test_its_problems_are_told_beside_those_of_the_keys(tmp_path: Path):
    ended = await checked(tmp_path, CANARY, 0o604, "nowhere")
    assert (ended.code, ended.out) == (78, "")
    assert ended.err.replace(str(tmp_path), "F").splitlines() == [
        "broker: F/nowhere: does not exist; create it or correct the path",
        "broker: F/client-secret: can be read by every user of this host; run: chmod 0600 F/client-secret",
    ]


async def test_a_secret_that_is_none_is_told_without_its_text(tmp_path: Path):
    ended = await checked(tmp_path, f"{CANARY} {CANARY}")
    assert ended.code == 78
    assert "client-secret: holds a space, a further line or " in ended.err
