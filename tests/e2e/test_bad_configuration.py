"""Configuration that cannot be used: exit 78, one sentence for each problem, no traceback, and nothing secret in it.

`broker check` says the same words as `broker run`, but for what only an attempt to listen shows.
"""

import asyncio
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.command import Ended, broker
from tests.e2e.conftest import Figures
from tests.e2e.keys import private

pytestmark = pytest.mark.e2e

SECRET = "canary-of-a-secret-that-stands-in-a-bad-file"
ENVIRONMENT = {"KAKAOCLOUD_APPLICATION_CREDENTIAL_ID": "0" * 32}
AT_ONCE = 4  # processes side by side

Build = Callable[[Path], tuple[str, dict[str, str]]]
"""Makes the files of one case; the text of its broker.toml, and its environment."""


def _files(folder: Path, mode: int = 0o600, **fields: str) -> str:
    """A key's directory, whose files have this mode."""
    keys = folder / "key"
    keys.mkdir(mode=0o700)
    for name, value in fields.items():
        private(keys / name, value)
        if name == "secret":
            (keys / name).chmod(mode)
    return str(keys)


def _toml(folder: Path, keys: str, more: str = "") -> str:
    socket = json.dumps(str(folder / "b.sock"))
    return f"{more}\n[[listen]]\nunix = {socket}\n[identities.default]\nkeys = [{json.dumps(keys)}]\n"


def _key(more: str = "", mode: int = 0o600, **fields: str) -> Build:
    def build(folder: Path) -> tuple[str, dict[str, str]]:
        return _toml(folder, _files(folder, mode, **(fields or {"id": "a1", "secret": SECRET})), more), {}

    return build


def _by_environment(**own: str) -> Build:
    def build(folder: Path) -> tuple[str, dict[str, str]]:
        return f"[[listen]]\nunix = {json.dumps(str(folder / 'b.sock'))}\n", own

    return build


def _no_socket(folder: Path) -> tuple[str, dict[str, str]]:
    text, own = _key()(folder)
    (folder / "b.sock").write_text("a file of somebody else's")
    return text, own


def _no_key(folder: Path) -> tuple[str, dict[str, str]]:
    return _toml(folder, str(folder / "nothing")), {}


def _variables(folder: Path) -> tuple[str, dict[str, str]]:
    text, _ = _key()(folder)
    own = {
        "IAM__TIMEOUT": "soon",
        "LISTEN": "[{",
        "IAM__URLL": "https://iam.example",
        "GRANTS__0__USERS": "app",
        "LOG__AUDIT": "syslog",
    }
    return text, {f"KAKAOCLOUD_BROKER_{name}": value for name, value in own.items()}


# The problems that each has, by a word from each sentence.
CASES: dict[str, tuple[Build, tuple[str, ...]]] = {
    "secret readable by others": (_key(mode=0o644), ("chmod 06",)),
    "secret writable by others": (_key(mode=0o602), ("chmod 0600",)),
    "both methods": (_key(id="a1", name="n", user_id="u", secret=SECRET), ("both by",)),
    "empty secret": (_key(id="a1", secret=""), ("is empty",)),
    "secret missing": (_key(id="a1"), ("is missing",)),
    "name without user_id": (_key(name="n", secret=SECRET), ("user_id",)),
    "secret in two lines": (_key(id="a1", secret=f"{SECRET}\n{SECRET}"), ("more than one line",)),
    "no key there": (_no_key, ("does not exist",)),
    "no key at all": (_by_environment(), ("identities",)),
    "empty secret in the environment": (
        _by_environment(**ENVIRONMENT, KAKAOCLOUD_APPLICATION_CREDENTIAL_SECRET=""),
        ("KAKAOCLOUD_APPLICATION_CREDENTIAL_SECRET",),
    ),
    "both methods in the environment": (
        _by_environment(
            OS_APPLICATION_CREDENTIAL_ID="a1",
            OS_APPLICATION_CREDENTIAL_NAME="n",
            OS_USER_ID="u",
            OS_APPLICATION_CREDENTIAL_SECRET=SECRET,
        ),
        ("both by",),
    ),
    "unknown setting": (_key("[iam]\nurll = 'https://iam'"), ("did you mean",)),
    "http beyond loopback": (_key("[iam]\nurl = 'http://iam.example/identity/v3'"), ("http",)),
    "no CA file": (_key("[iam]\nca_file = '/nonexistent/ca.pem'"), ("ca_file",)),
    "not TOML": (_key("[iam"), ("is not TOML",)),
    "two problems": (_key("[iam]\ntimeout = 'soon'\n[log]\nlevel = 'loud'"), ("timeout", "level")),
    "grants that lead nowhere": (
        _key(
            "[[grants]]\nidentity = 'shop'\nusers = ['no-such-user-here']\ngroups = ['no-such-group-here']\n"
            "[[grants]]\nidentity = 'default'\nany = true\n"
            "[[grants]]\nidentity = 'default'\nusers = [1001]\nlisteners = ['127.0.0.1:1']\n"
            "[[grants]]\nidentity = 'default'\nuser = ['app']"
        ),
        (
            "no identity",
            "no user of this host",
            "no group of this host",
            "grants `any` on",
            "no listener",
            "did you mean",
        ),
    ),
    "listeners that cannot be": (
        _key(
            "[[listen]]\ntcp = '0.0.0.0:9780'\n[[listen]]\ntcp = 'localhost:9780'\n[[listen]]\ntcp = '127.0.0.1'\n"
            "[[listen]]\ntcp = '192.0.2.1:9780'\nserve = ['tokens']\n"
            "[[listen]]\ntcp = '127.0.0.1:9781'\nidentities = ['shop']\nmode = '0600'"
        ),
        (
            "serve =",
            "a name, not an address",
            "with a port",
            "loopback only",
            "no identity",
            "Unix sockets only",
        ),
    ),
    "variables": (
        _variables,
        ("IAM__TIMEOUT", "LISTEN: is not JSON", "did you mean", "GRANTS__0", "no place for the audit trail"),
    ),
    "a file in the socket's place": (_no_socket, ("is no socket",)),
}
# What a command that opens nothing cannot see.
ONLY_AT_START = "a file in the socket's place"
# Those that are started as well, since both commands go one way: one of each kind.
STARTED = {
    ONLY_AT_START,
    "secret readable by others",
    "empty secret in the environment",
    "no key there",
    "not TOML",
    "two problems",
    "variables",
}


async def test_each_problem_is_one_sentence(tmp_path: Path, figures: Figures) -> None:
    """Rule: exit 78 and a line for each problem, in the user's words; no token was asked for, no socket is left."""
    turn = asyncio.Semaphore(AT_ONCE)

    async def both(name: str, build: Build) -> list[Ended]:
        folder = tmp_path / name.replace(" ", "-")
        folder.mkdir()
        text, own = build(folder)
        (folder / "broker.toml").write_text(text)
        commands = ["check"] * (name != ONLY_AT_START) + ["run"] * (name in STARTED)
        async with turn:
            return [
                await broker(command, "--config", folder / "broker.toml", own=own) for command in commands
            ]

    ends = await asyncio.gather(*(both(name, build) for name, (build, _) in CASES.items()))
    for (name, (_, words)), (ended, *more) in zip(CASES.items(), ends, strict=True):
        assert all((other.code, other.err) == (78, ended.err) for other in more), (name, ended.err, more)
        assert ended.code == 78, (name, ended.err)
        assert ended.out == "", name
        assert len(ended.sentences) == len(words), (name, ended.err)
        assert all(line.startswith("broker: ") for line in ended.sentences), (name, ended.err)
        assert all("; " in line for line in ended.sentences), (name, ended.err)
        assert [word for word in words if word not in ended.err] == [], (name, ended.err)
        assert "Traceback" not in ended.err, name
        assert SECRET not in ended.err, name
    figures(**{name: ended.err.strip() for name, (ended, *_) in zip(CASES, ends, strict=True)})


async def test_a_named_file_that_is_not_there(tmp_path: Path) -> None:
    """Rule: a file that was named must exist."""
    ended = await broker("run", "--config", tmp_path / "nowhere.toml")
    assert (ended.code, len(ended.sentences)) == (78, 1), ended.err


@pytest.mark.skipif(os.geteuid() == 0, reason="root may listen anywhere")
async def test_a_folder_that_may_not_be_written(tmp_path: Path) -> None:
    """Rule: a socket that cannot be made is bad configuration too."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    text = _toml(closed, _files(tmp_path, id="a1", secret=SECRET))
    (tmp_path / "broker.toml").write_text(text)
    ended = await broker("run", "--config", tmp_path / "broker.toml")
    assert (ended.code, len(ended.sentences)) == (78, 1), ended.err
