"""`broker explain` says who may read, by which grant, or why not and what would change that."""

import json
from pathlib import Path

import pytest

from tests.cli.explaining import HEAD, HEALTH, LIMITED, SOCKET, TCP, WHOM, explained, one, told, written


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return written(tmp_path)


@pytest.fixture
def ungranted(tmp_path: Path) -> Path:
    return written(tmp_path, HEAD)


def test_allowed_on_some_listeners_is_a_line_for_each_with_its_grant(config: Path):
    assert told(config, "--uid", "1001", "--identity", "default") == (
        0,
        [
            f"allowed: uid 1001 may read default on {SOCKET}, by grants[0] (user 1001)",
            f"  grants[1]: it does not hold on this listener, but on {TCP}",
            f"denied: uid 1001 may not read default on {LIMITED}, for that listener gives shop alone, whatever is granted",
            "  grants[0]: it would give it (user 1001)",
            f"  grants[1]: it does not hold on this listener, but on {TCP}",
            f"allowed: uid 1001 may read default on {TCP}, by grants[0] (user 1001)",
            "  grants[1]: it gives it too (user 1001)",
        ],
    )


def test_denied_everywhere_names_each_reason_and_the_smallest_grant(config: Path):
    assert told(config, "--uid", "1003", "--identity", "default") == (
        77,
        [
            f"denied: uid 1003 may not read default on {SOCKET}, for no grant of this identity fits",
            f"  grants[0]: it does not name this caller, but {WHOM}",
            f"  grants[1]: it does not hold on this listener, but on {TCP}",
            f"denied: uid 1003 may not read default on {LIMITED}, for that listener gives shop alone, whatever is granted",
            f"  grants[0]: it does not name this caller, but {WHOM}",
            f"  grants[1]: it does not hold on this listener, but on {TCP}",
            f"denied: uid 1003 may not read default on {TCP}, for no grant of this identity fits",
            f"  grants[0]: it does not name this caller, but {WHOM}; over TCP only the user is proven",
            "  grants[1]: it does not name this caller, but users 1001, 1002",
            "Add this grant:",
            "  [[grants]]",
            '  identity = "default"',
            "  users = [1003]",
        ],
    )


@pytest.mark.parametrize(
    ("words", "by"),
    [
        (("--uid", "7", "--gid", "50"), "group 50"),
        (("--uid", "7", "--gid", "7", "--gid", "50"), "group 50"),
        (("--uid", "7", "--unit", "app.service"), "unit app.service"),
        (("--uid", "7", "--unit", "jobs-nightly.slice"), "unit jobs.slice"),
        (
            ("--uid", "root", "--gid", "50", "--unit", "app.service"),
            "user root (0), group 50, unit app.service",
        ),
        (("--uid", "7", "--gid", "50", "--other-pid-namespace"), "group 50"),
    ],
)
def test_whatever_of_a_caller_is_granted_to_is_named(config: Path, words: tuple[str, ...], by: str):
    code, lines = one(config, *words)
    assert code == 0
    assert lines[0].endswith(f", by grants[0] ({by})")


def test_over_tcp_neither_group_nor_unit_counts(config: Path):
    words = ("--uid", "7", "--gid", "50", "--unit", "app.service", "--identity", "default")
    code, lines = told(config, *words, "--listener", TCP)
    assert code == 77
    assert (
        lines[1] == f"  grants[0]: it does not name this caller, but {WHOM}; over TCP only the user is proven"
    )
    assert lines[-1] == f'  listeners = ["{TCP}"]'
    assert explained(config, *words).stdout.splitlines()[-1] == "Over TCP only the user is proven."


def test_a_slice_that_was_not_told_is_asked_for(config: Path):
    code, lines = one(config, "--uid", "7", "--unit", "job.service")
    assert code == 77
    assert lines[1].endswith("; if job.service is in jobs.slice, say so by another --unit")
    assert one(config, "--uid", "7", "--unit", "job.service", "--unit", "jobs.slice")[0] == 0


def test_whoever_connects(config: Path):
    assert told(config, "--uid", "7", "--identity", "shop", "--listener", LIMITED) == (
        0,
        [f"allowed: uid 7 may read shop on {LIMITED}, by grants[2] (whoever connects on {LIMITED})"],
    )


def test_an_identity_for_which_there_is_no_grant(tmp_path: Path):
    path = written(tmp_path, f'{HEAD}[[grants]]\nidentity = "shop"\nusers = [7]\n')
    assert one(path, "--uid", "7")[1][0].endswith(", for no grant is one of this identity")


def test_an_identity_that_does_not_exist_is_denied_to_its_owner_too(ungranted: Path):
    for name in ("nope", "\x1b[2Jx"):
        code, lines = told(ungranted, "--uid", "990", "--identity", name, "--listener", SOCKET)
        assert code == 77
        assert lines == [
            (
                f"denied: uid 990 may not read {name!r} on {SOCKET}, for there is no such identity; "
                "the daemon answers access_denied, as where there is one and no grant"
            ),
            "Ask for one of these: default, shop; or add [identities.NAME].",
        ]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--uid", "990"), "as the broker's own user may where there are no grants"),
        (("--uid", "990", "--other-pid-namespace"), "as the broker's own user may where there are no grants"),
        (("--uid", "0"), "as root of this host may where there are no grants"),
        (
            ("--uid", "7"),
            (
                "for there are no grants, and without them the broker's own user (990) and root of this host "
                "read, and nobody else"
            ),
        ),
        (("--uid", "0", "--other-pid-namespace"), "for there are no grants, and root of another pid namespace is not this host's"),
        (("--uid", "0", "--in-container"), "for there are no grants, and root is not the host's where the broker is in a container"),
        (
            ("--uid", "0", "--listener", TCP),
            "for there are no grants, and over TCP root of this host is not to be told from that of a container",
        ),
        (("--uid", "0", "--owner", "0", "--listener", TCP), "as the broker's own user may where there are no grants"),
        (
            ("--uid", "0", "--owner", "root", "--other-pid-namespace"),
            "for there are no grants, and root of another pid namespace is not this host's",
        ),
    ],
)  # fmt: skip
def test_without_grants_the_owners_rule_is_told(ungranted: Path, words: tuple[str, ...], why: str):
    code, lines = one(ungranted, *words)
    assert lines[0].partition(", ")[2] == why
    assert code == (77 if why.startswith("for") else 0)
    first = (
        "From the first grant on, the broker's own user and root see the state, and read only if granted to."
    )
    assert (first in lines) is (code == 77)
    assert any(line.startswith("It lets in root of any container") for line in lines) is (
        "0" in words and code == 77
    )


@pytest.mark.parametrize("user", ["0", "990"])
def test_with_grants_the_owner_sees_the_state_and_may_not_read(config: Path, user: str):
    code, lines = told(config, "--uid", user, "--identity", "shop", "--listener", SOCKET)
    assert code == 77
    assert lines[1] == "  it may see the state all the same"
    [row] = json.loads(
        explained(config, "--uid", user, "--identity", "shop", "--listener", SOCKET, "--json").stdout
    )["listeners"]
    assert (row["allowed"], row["by"], row["view"], row["view_by"]) == (False, "no grant", True, "owner")


def test_a_limit_is_named_before_what_is_granted_and_so_is_what_would_lift_it(config: Path):
    code, lines = told(config, "--uid", "7", "--identity", "default", "--listener", LIMITED)
    assert code == 77
    lifted = f'Add "default" to `identities` of the listener {LIMITED}, or ask on another one.'
    grant = ["Add this grant:", "  [[grants]]", '  identity = "default"', "  users = [7]"]
    assert lines[3:] == [lifted, *grant, f'  listeners = ["{LIMITED}"]']
    granted = told(config, "--uid", "1001", "--identity", "default", "--listener", LIMITED)[1]
    assert granted[-1] == lifted


@pytest.mark.parametrize(
    ("more", "doubt"),
    [
        (
            'mode = "0660"\ngroup = "50"',
            ["  if it may connect at all, for the socket has mode 0660 and group 50"],
        ),
        ('mode = "0600"', ["  if it may connect at all, for the socket has mode 0600"]),
        ('mode = "0662"', []),
    ],
)
def test_a_socket_that_is_not_open_to_all_is_a_doubt(tmp_path: Path, more: str, doubt: list[str]):
    head = f'[identities.default]\nkeys = ["/k"]\n[[listen]]\nunix = "{SOCKET}"\n{more}\n'
    code, lines = told(written(tmp_path, head), "--uid", "990", "--identity", "default")
    assert (code, lines[1:]) == (0, doubt)


def test_a_listener_without_tokens_gives_none_to_anybody(config: Path):
    assert told(config, "--uid", "1001", "--identity", "default", "--listener", HEALTH) == (
        77,
        [f"denied: uid 1001 may not read default on {HEALTH}, for there is health and metrics alone"],
    )


def test_where_no_listener_serves_tokens_nobody_may_read(tmp_path: Path):
    text = '[identities.default]\nkeys = ["/k"]\n[[listen]]\nunix = "/nowhere/s"\nserve = ["health"]\n'
    path = written(tmp_path, text)
    assert told(path, "--uid", "990", "--identity", "default") == (77, ["denied: no listener serves tokens"])


def test_the_example_of_the_manual(tmp_path: Path):
    page = (Path(__file__).parents[2] / "docs/configure.md").read_text()
    block = page.split("    $ broker explain ")[1].split("\n\n")[0]
    words, *shown = [line.removeprefix("    ") for line in block.splitlines()]
    head = '[identities.default]\nkeys = ["/k"]\n[[listen]]\nunix = "/run/kakaocloud-broker/broker.sock"\n'
    grants = f'[[listen]]\ntcp = "{TCP}"\n[[grants]]\nidentity = "default"\nusers = [1001]\ngroups = [50]\n'
    assert told(written(tmp_path, head + grants), *words.split()) == (77, shown)
