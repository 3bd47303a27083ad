"""A doorway knows a caller that comes again: the same object, however many connections it holds."""

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.callers import recent
from broker.core.access import Workload
from broker.openings import openings
from broker.serving.doorway import Doorway
from broker.settings import Settings
from tests.callers.remembering import needs_pidfs
from tests.fakes.clock import FakeClock

CLOCK = FakeClock()


@pytest.fixture(name="opened")
def open_both(tmp_path: Path) -> Iterator[list[tuple[Doorway, socket.socket]]]:
    listen = [{"unix": str(tmp_path / "s")}, {"tcp": "127.0.0.1:0"}]
    tree = {"listen": listen, "identities": {"default": {"keys": [str(tmp_path)]}}}
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(one) for one in openings(Settings.model_validate(tree), CLOCK.now)]


def proven(doorway: Doorway, listening: socket.socket) -> Workload | None:
    """Who it is on a new connection of ours."""
    listening.setblocking(True)
    with socket.socket(listening.family) as client:
        client.connect(listening.getsockname())
        connection, _ = listening.accept()
        with connection:
            return doorway.prove(connection)


@pytest.mark.parametrize("way", [0, 1])
def test_a_caller_that_comes_again_is_the_same_object(opened, way: int):
    doorway, listening = opened[way]
    first = proven(doorway, listening)
    assert first is not None
    assert (first.uid, first.listener) == (os.geteuid(), doorway.label)
    assert proven(doorway, listening) is first


@needs_pidfs
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
