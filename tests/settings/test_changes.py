"""What a running broker takes over of new settings, and what waits for a restart."""

from typing import Any

import pytest

from broker.core.access import Owner, Workload
from broker.settings import Settings
from broker.settings.changes import Changes, compare, taken_over

OTHER = "https://other.example/v3"
TREE: dict[str, Any] = {
    "listen": [{"unix": "/s", "identities": ["shop"]}, {"tcp": "127.0.0.1:9780"}],
    "identities": {
        "default": {"keys": ["/k"]},
        "shop": {"keys": ["/l", "/m"], "iam_url": OTHER},
    },
    "grants": [{"identity": "default", "users": [1001]}, {"identity": "shop", "users": [1001]}],
}
ENDS = ["2027-01-31T00:00:00Z"]


def tree(**sections: object) -> Settings:
    return Settings.model_validate({**TREE, **sections})


def identities(**more: object) -> dict[str, object]:
    return {**TREE["identities"], **more}


RUNNING = tree()


@pytest.mark.parametrize(
    ("new", "changes"),
    [
        (tree(), Changes()),
        (tree(identities=identities(extra={"keys": ["/x"]})), Changes(added=("extra",))),
        (
            tree(identities={"shop": TREE["identities"]["shop"], "extra": {"keys": ["/k"]}}),
            Changes(added=("extra",), removed=("default",)),
        ),
        (tree(identities=identities(default={"keys": ["/k", "/n"]})), Changes(rekeyed=("default",))),
        (
            tree(identities=identities(shop={"keys": ["/m", "/l"], "iam_url": OTHER})),
            Changes(rekeyed=("shop",)),
        ),
        (
            tree(identities=identities(default={"keys": ["/k"], "key_expires_at": ENDS})),
            Changes(rekeyed=("default",)),
        ),
        (tree(grants=TREE["grants"][:1]), Changes(grants=True)),
        (tree(grants=[]), Changes(grants=True)),
        (tree(listen=[{"unix": "/s"}, TREE["listen"][1]]), Changes(grants=True)),
        (
            tree(listen=[TREE["listen"][0], {"tcp": "127.0.0.1:9780", "identities": ["default"]}]),
            Changes(grants=True),
        ),
        (tree(listen=TREE["listen"][::-1]), Changes()),
        (tree(files=[{"path": "/t"}]), Changes(files=True)),
        (tree(log={"level": "debug"}), Changes(log_level=True)),
    ],
)
def test_what_is_taken_over(new: Settings, changes: Changes):
    assert compare(RUNNING, new) == changes
    # What was taken over is the same as what was asked for, and leaves nothing to be done.
    assert compare(taken_over(RUNNING, new), new) == Changes()


@pytest.mark.parametrize(
    ("sections", "waiting"),
    [
        ({"iam": {"timeout": 20, "connect_timeout": 1}}, ("iam.timeout", "iam.connect_timeout")),
        ({"iam": {"url": "https://new.example/v3"}}, ("iam.url",)),
        ({"listen": [*TREE["listen"], {"unix": "/t"}]}, ("listen",)),
        ({"listen": [{**TREE["listen"][0], "mode": "0600"}, TREE["listen"][1]]}, ("listen",)),
        ({"serving": {"hosts": ["a"], "drain": 1}}, ("serving.drain", "serving.hosts")),
        ({"refresh": {"latest": 0.6}}, ("refresh",)),
        ({"validation": {"method": "off"}, "cache": {"off": True}}, ("validation", "cache")),
        ({"log": {"format": "console"}}, ("log.format",)),
        ({"s3": {"region": "kr-east-1"}}, ("s3",)),
        ({"log": {"audit": "/var/log/audit"}}, ("log.audit",)),
        ({"identities": identities(shop={"keys": ["/l", "/m"]})}, ("identities.shop.iam_url",)),
    ],
)
def test_what_waits_for_a_restart_is_named_and_left_at_every_reload(
    sections: dict[str, object], waiting: tuple[str, ...]
):
    new = tree(**sections)
    assert compare(RUNNING, new) == Changes(needs_restart=waiting)
    assert taken_over(RUNNING, new) == RUNNING
    assert compare(taken_over(RUNNING, new), new).needs_restart == waiting


def test_both_at_once():
    new = tree(
        log={"level": "error", "format": "console"},
        identities=identities(default={"keys": ["/n"]}),
        refresh={"latest": 0.6},
    )
    assert compare(RUNNING, new) == Changes(
        rekeyed=("default",), log_level=True, needs_restart=("refresh", "log.format")
    )
    taken = taken_over(RUNNING, new)
    assert (taken.log.level, taken.log.format) == ("error", None)
    assert (taken.identities["default"].keys, taken.refresh) == (("/n",), RUNNING.refresh)


def test_no_key_is_sent_to_an_iam_that_it_was_not_written_for():
    new = tree(
        iam={"url": "https://new.example/v3"},
        identities={
            "default": {"keys": ["/n"]},
            "shop": {"keys": ["/n2"], "iam_url": OTHER},
            "extra": {"keys": ["/x"]},
            "own": {"keys": ["/o"], "iam_url": OTHER},
        },
    )
    assert compare(RUNNING, new) == Changes(
        added=("own",),
        rekeyed=("shop",),
        needs_restart=("iam.url", "identities.default.keys", "identities.extra"),
    )
    taken = taken_over(RUNNING, new)
    assert list(taken.identities) == ["default", "shop", "own"]
    assert taken.identities["default"] == RUNNING.identities["default"]
    assert taken.iam_of("own").url == OTHER


def test_an_identity_that_moves_keeps_its_keys_until_the_restart():
    new = tree(identities=identities(shop={"keys": ["/n", "/m"], "iam_url": "https://new.example/v3"}))
    waiting = ("identities.shop.keys", "identities.shop.iam_url")
    assert compare(RUNNING, new) == Changes(needs_restart=waiting)
    assert taken_over(RUNNING, new) == RUNNING


def test_a_socket_that_is_still_open_keeps_its_limit():
    """The settings no longer know it, and what has no limit gives access to everything granted."""
    new = tree(listen=TREE["listen"][1:])
    assert compare(RUNNING, new) == Changes(needs_restart=("listen",))
    policy = taken_over(RUNNING, new).policy(Owner(1, in_container=False))
    there = Workload(1001, 1001, 7, "/s")
    assert policy.may_read(there, "shop")
    assert not policy.may_read(there, "default")


def test_the_new_grants_decide_at_once():
    new = tree(grants=[{"identity": "default", "users": [1002]}])
    policy = taken_over(RUNNING, new).policy(Owner(1, in_container=False))
    assert policy.may_read(Workload(1002, None, None, "127.0.0.1:9780"), "default")
    assert not policy.may_read(Workload(1001, None, None, "127.0.0.1:9780"), "default")
