"""Starts that meet: of two processes exactly one wins; who may not write, or finds the folder locked, is told so."""

import fcntl
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from broker.callers import listeners
from broker.callers.listeners import unix_listener
from tests.callers.folders import open_folder

ROUNDS = 25

# Reads the paths of the rounds; answers for each, and holds the socket until the next line comes.
STARTER = """
import sys
from pathlib import Path
from broker.callers.listeners import unix_listener
from broker.core.errors import ConfigError
for line in sys.stdin:
    try:
        with unix_listener(Path(line.strip()), 0o600):
            print("won", flush=True)
            sys.stdin.readline()
    except ConfigError as error:
        print(error, flush=True)
        sys.stdin.readline()
    print("ended", flush=True)
"""
AS_STRANGER = """
import os, sys
from pathlib import Path
from broker.callers.listeners import unix_listener
from broker.core.errors import ConfigError
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(54321)
    os.setuid(54321)
try:
    with unix_listener(Path(sys.argv[1]), 0o600):
        print("listens")
except ConfigError as error:
    print(error)
"""


@pytest.mark.e2e
@pytest.mark.parametrize("stale", [False, True])
def test_of_two_simultaneous_starts_exactly_one_wins(tmp_path: Path, stale: bool):
    starters = [
        subprocess.Popen(
            [sys.executable, "-c", STARTER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    try:
        for number in range(ROUNDS):
            path = tmp_path / f"s{number}"
            if stale:
                with socket.socket(socket.AF_UNIX) as crashed:
                    crashed.bind(str(path))
            answers = [line.strip() for line in _ask(starters, f"{path}\n")]
            assert sorted(answer == "won" for answer in answers) == [False, True], answers
            assert any("belongs to a broker that is running" in answer for answer in answers)
            _ask(starters, "\n")
            assert not path.exists()
    finally:
        for starter in starters:
            starter.communicate()


def _ask(starters: list[subprocess.Popen[str]], line: str) -> list[str]:
    for starter in starters:
        assert starter.stdin
        starter.stdin.write(line)
        starter.stdin.flush()
    return [starter.stdout.readline() for starter in starters if starter.stdout]


@pytest.mark.e2e
def test_a_folder_that_may_not_be_written_is_one_sentence():
    with open_folder() as folder:
        folder.chmod(0o555)
        run = subprocess.run(
            [sys.executable, "-c", AS_STRANGER, str(folder / "s")],
            check=True,
            capture_output=True,
            text=True,
            env={"PYTHONPATH": str(Path.cwd())},
        )
    told = "cannot listen there (Permission denied); choose a folder that this user may write"
    assert run.stdout == f"{folder}/s: {told}\n"


def test_a_lock_that_a_stranger_holds_keeps_no_broker_from_starting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Whoever may read the folder may lock it."""
    monkeypatch.setattr(listeners, "LOCK_SECONDS", 0.05)
    stranger = os.open(tmp_path, os.O_RDONLY)
    try:
        fcntl.flock(stranger, fcntl.LOCK_EX)
        with unix_listener(tmp_path / "s", 0o600):
            assert (tmp_path / "s").is_socket()
        assert not (tmp_path / "s").exists()
    finally:
        os.close(stranger)
