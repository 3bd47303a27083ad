"""How a caller is given to `broker explain`, what it then supposes, and what cannot be meant."""

import json
import os
import pwd
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from broker.callers import unix
from broker.callers.listeners import unix_listener
from broker.cli import explain as command
from broker.cli.main import broker
from broker.cli.supposed import MOST_GROUPS
from tests.cli.command import broker as process
from tests.cli.explaining import GRANTS, HEAD, HEALTH, LIMITED, SOCKET, TCP, explained, one, told, written


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return written(tmp_path)


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    return written(tmp_path, f"{HEAD}{GRANTS}[zzz]\n", "bad.toml")


def refused(config: Path, *words: str) -> str:
    """The error of usage."""
    result = explained(config, *words)
    assert (result.exit_code, result.stdout) == (2, "")
    return result.stderr.splitlines()[-1]


def test_a_number_that_may_stand_for_anybody_proves_nobody(config: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(command, "ambiguous_uid", lambda: 1001)
    code, lines = told(config, "--uid", "1001", "--identity", "default", "--listener", SOCKET)
    assert code == 77
    assert lines[0].endswith("the daemon answers caller_unknown")
    assert lines[1:] == ["Run the broker where every user is mapped, as in the host's own user namespace."]


@pytest.mark.parametrize("gids", [("50",), ("1", "50")])
def test_a_group_that_may_be_any_counts_for_nothing(
    config: Path, monkeypatch: pytest.MonkeyPatch, gids: tuple[str, ...]
):
    words = [word for gid in gids for word in ("--gid", gid)]
    assert one(config, "--uid", "7", *words)[0] == 0
    monkeypatch.setattr(command, "ambiguous_gid", lambda: 50)
    assert one(config, "--uid", "7", *words)[0] == 77


def test_of_more_groups_than_the_kernel_tells_none_counts(config: Path):
    assert MOST_GROUPS == unix._MOST_GROUPS
    many = [word for gid in range(1000, 1000 + MOST_GROUPS - 1) for word in ("--gid", str(gid))]
    assert one(config, "--uid", "7", "--gid", "7", "--gid", "50", *many)[0] == 0
    assert one(config, "--uid", "7", "--gid", "7", "--gid", "50", "--gid", "51", *many)[0] == 77


def test_a_user_by_name_has_the_groups_of_its_login(config: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(os, "getgrouplist", lambda _name, own: [50, own])
    user = pwd.getpwuid(1)
    result = explained(config, "--uid", user.pw_name, "--identity", "default", "--listener", SOCKET)
    assert result.exit_code == 0
    assert re.search(
        rf"^Supposed: a caller of groups \S+ \({user.pw_gid}\), .*\b50\b", result.stdout, re.MULTILINE
    )
    given = explained(
        config, "--uid", user.pw_name, "--gid", "7", "--identity", "default", "--listener", SOCKET
    )
    assert given.exit_code == 77
    assert "a caller of group 7, in no unit" in given.stdout


def test_what_is_supposed_is_said(config: Path):
    words = ("--uid", "7", "--unit", "a.service", "--unit", "x-y.slice", "--other-pid-namespace")
    assert explained(config, *words, "--identity", "shop").stdout.splitlines()[-4:] == [
        "Supposed: a caller of no group, in a.service, x-y.slice, x.slice, in another pid namespace than the broker.",
        "Its unit is proven where that namespace is below the broker's, as a container's on the same host is.",
        "Supposed: a broker that runs as uid 990 (as you say), in no container.",
        "Over TCP only the user is proven.",
    ]


def test_the_broker_is_supposed_to_run_as_whoever_owns_its_socket(tmp_path: Path):
    path = tmp_path / "broker.toml"
    path.write_text(
        f'[identities.default]\nkeys = ["/k"]\n[[listen]]\nunix = "/nowhere/s"\n[[listen]]\nunix = "{tmp_path}/s"\n'
    )
    words = ["explain", "--config", str(path), "--uid", "7", "--identity", "default"]
    mine = f"runs as uid {os.getuid()} (as you, for its socket is not there), in "
    assert mine in CliRunner().invoke(broker, words).stdout
    (tmp_path / "s").touch()
    assert mine in CliRunner().invoke(broker, words).stdout
    (tmp_path / "s").unlink()
    with unix_listener(tmp_path / "s", 0o600):
        owner = 7 if os.geteuid() == 0 else os.getuid()
        os.chown(tmp_path / "s", owner, -1)
        result = CliRunner().invoke(broker, words)
        assert f"runs as uid {owner} (the owner of {tmp_path}/s), in " in result.stdout
        assert (result.exit_code == 0) is (owner == 7)


def test_json_has_what_the_lines_say(config: Path):
    words = ("--uid", "1001", "--gid", "5", "--unit", "a.service", "--identity", "default")
    result = explained(config, *words, "--json")
    tree = json.loads(result.stdout)
    rows = tree.pop("listeners")
    assert (result.exit_code, tree) == (
        0,
        {
            "allowed": True,
            "view": True,
            "identity": "default",
            "exists": True,
            "caller": {
                "uid": 1001,
                "gids": [5],
                "unit": "a.service",
                "slices": [],
                "other_pid_namespace": False,
            },
            "broker": {"uid": 990, "in_container": False},
            "remedy": [],
        },
    )
    assert [(row["listener"], row["allowed"], row["by"]) for row in rows] == [
        (SOCKET, True, "grants[0]"),
        (LIMITED, False, "the listener's identities"),
        (TCP, True, "grants[0]"),
    ]
    assert rows[0]["identity"] == "default"
    assert rows[0]["sentence"] == explained(config, *words).stdout.splitlines()[0]
    assert rows[0]["grants"] == [
        {"grant": "grants[0]", "gives": True, "why": "user 1001"},
        {"grant": "grants[1]", "gives": False, "why": f"it does not hold on this listener, but on {TCP}"},
    ]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--uid", "no-such-user"), "'--uid': 'no-such-user' is no user of this host; "),
        (("--uid", "-1"), "'--uid': '-1' is no user of this host; "),
        (("--uid", "4294967295"), "'--uid': '4294967295' is out of bounds; choose a number between 0 and "),
        (("--gid", "no-such-group"), "'--gid': 'no-such-group' is no group of this host; "),
        (("--unit", "app"), "'--unit': 'app' is not the whole name of a unit; write it like "),
        (("--owner", "no-such-user"), "'--owner': 'no-such-user' is no user of this host; "),
        (("--listener", "s"), "--listener: 's' is neither the path of a socket nor an address; "),
        (
            ("--listener", "127.0.0.1:1"),
            f"--listener: '127.0.0.1:1' is no listener; choose one of {SOCKET}, {LIMITED}, {TCP}, {HEALTH}",
        ),
        (
            ("--unit", "a.service", "--unit", "b.scope"),
            "a process runs in one unit; of --unit give that one, and the slices around it",
        ),
    ],
)
def test_what_cannot_be_meant_is_an_error_of_usage(config: Path, words: tuple[str, ...], told: str):
    line = refused(config, "--uid", "7", "--identity", "default", *words)
    assert line.removeprefix("Error: ").removeprefix("Invalid value for ").startswith(told)


def test_a_listener_may_be_written_in_any_form_that_settings_take(config: Path):
    assert told(config, "--uid", "1001", "--identity", "default", "--listener", "127.0.0.1:09780")[0] == 0


async def test_as_a_process_it_reads_no_key_and_bad_settings_are_78(config: Path, bad: Path):
    words = ("explain", "--uid", "1001", "--identity", "default", "--listener", SOCKET, "--config")
    good = await process(*words, str(config))
    assert (good.code, good.err) == (0, "")
    assert (await process(*words, str(bad))).one_sentence(78).startswith(f"{bad}, zzz: ")
