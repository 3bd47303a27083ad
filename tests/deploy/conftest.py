"""Every test here gives logging back as it was; those that record have a world of their own."""

from pathlib import Path

import pytest

from broker.fakeiam.server import FakeIam
from tests.deploy.recording import World
from tests.fakes.clock import FakeClock
from tests.observability.restored import logging_as_it_was

__all__ = ["logging_as_it_was"]


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    clock = FakeClock()
    return World(tmp_path, monkeypatch, clock, FakeIam(clock=clock.wall))
