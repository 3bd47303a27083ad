"""A doorway knows a caller that comes again: the same object, however many connections it holds; no other doorway does."""

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.callers import recent
from broker.callers.units import Lodging
from broker.core.access import Workload
from broker.openings import openings
from broker.serving.doorway import Doorway
from broker.settings import Settings
from tests.callers.loopback import open_files
from tests.callers.test_process import As, needs_pidfd
from tests.fakes.clock import FakeClock

CLOCK = FakeClock()
CONNECTING = """
import socket, sys
with socket.socket(socket.AF_UNIX) as connection:
    connection.connect(sys.argv[1])
    print(flush=True)
    sys.stdin.read()
"""


def listening_at(folder: Path) -> Settings:
    listen = [{"unix": str(folder / "s")}, {"tcp": "127.0.0.1:0"}, {"unix": str(folder / "other")}]
    return Settings.model_validate({"listen": listen, "identities": {"default": {"keys": [str(folder)]}}})


@contextlib.contextmanager
def accepted(listening: socket.socket) -> Iterator[socket.socket]:
    """Who has waited for longest."""
    listening.setblocking(True)
    connection, _ = listening.accept()
    with connection:
        yield connection


@pytest.fixture(name="opened")
def open_all(tmp_path: Path) -> Iterator[list[tuple[Doorway, socket.socket]]]:
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(one) for one in openings(listening_at(tmp_path), CLOCK.now)]


def proven(doorway: Doorway, listening: socket.socket) -> Workload | None:
    """Who it is on a new connection of ours."""
    with socket.socket(listening.family) as client:
        client.connect(listening.getsockname())
        with accepted(listening) as connection:
            return doorway.prove(connection)


@pytest.mark.parametrize("way", [0, 1, 2])
def test_a_caller_that_comes_again_is_the_same_object(opened, way: int):
    doorway, listening = opened[way]
    first = proven(doorway, listening)
    assert first is not None
    assert (first.uid, first.listener) == (os.geteuid(), doorway.label)
    assert proven(doorway, listening) is first


@needs_pidfd
def test_the_memory_goes_by_the_brokers_clock(opened, monkeypatch):
    """Rule: a second of CLOCK_BOOTTIME, which goes on while the machine sleeps."""
    looks: list[float] = []

    def look(*_: object) -> recent.Seen:
        looks.append(CLOCK.at)
        return recent.Seen()

    monkeypatch.setattr("broker.callers.unix._look", look)
    for passed in (0.0, 0.5, 0.5):
        CLOCK.at += passed
        proven(*opened[0])
    assert len(looks) == 2


@needs_pidfd
def test_what_one_listener_remembers_another_one_does_not(opened, monkeypatch):
    """The attack: connect to one listener, end before it accepts, and have the pid go to a process of a unit that
    connects to the other one: the two queues have no common order, so its memory would take us for that process.
    """
    monkeypatch.setattr("broker.callers.unix._look", lambda *_: recent.Seen(at=Lodging("granted.service")))
    (granting, queue), _, (other, behind) = opened
    uid = os.geteuid() or 1001
    with subprocess.Popen(
        [sys.executable, "-c", CONNECTING, behind.getsockname()],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as attacker:
        assert attacker.stdout
        assert attacker.stdout.readline() == b"\n"
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(queue.getsockname())
        with accepted(queue) as connection:
            for _ in range(2):
                assert granting.prove(As(connection, attacker.pid, uid)).unit == "granted.service"
        with accepted(behind) as connection:
            told = other.prove(As(connection, attacker.pid, uid))
        assert (told.uid, told.pid, told.unit) == (uid, attacker.pid, None)


@needs_pidfd
def test_each_unix_listener_has_a_memory_of_its_own_and_closes_it(tmp_path: Path, monkeypatch):
    made: list[recent.Recent] = []

    def remembering(now):
        made.append(recent.Recent(now))
        return made[-1]

    monkeypatch.setattr("broker.openings.Recent", remembering)
    before = open_files()
    with contextlib.ExitStack() as stack:
        opened = [stack.enter_context(one) for one in openings(listening_at(tmp_path), CLOCK.now)]
        for doorway, listening in opened:
            assert proven(doorway, listening) is not None
        assert len(made) == len({id(one) for one in made}) == 2
        assert [len(one._kept) for one in made] == [1, 1]
    assert open_files() == before
