"""What the garbage collector does while the daemon loads and runs: it looks at the young, and at the old by appointment."""

import gc
import sys
import weakref
from collections.abc import Iterator

import pytest

from broker.garbage import FEW, Sweeping, loading


class Cycle:
    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    usual = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*usual)


def test_what_is_young_and_garbage_goes_while_it_loads():
    """Rule: a start leaves no more behind than it did before."""
    with loading():
        gone = weakref.ref(Cycle())
        kept = [Cycle() for _ in range(20_000)]
        assert gone() is None
    assert len(kept) == 20_000


@pytest.mark.skipif(
    sys.version_info >= (3, 14), reason="its collector has no old generation that is gone through whole"
)
def test_what_is_old_is_not_gone_through_while_it_loads():
    with loading():
        before = gc.get_stats()[2]["collections"]
        kept = [Cycle() for _ in range(200_000)]
        assert gc.get_stats()[2]["collections"] == before
    assert len(kept) == 200_000


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="its collector takes the old in small parts")
def test_afterwards_many_who_come_at_once_start_no_sweep():
    with loading():
        pass
    before = gc.get_stats()[2]["collections"]
    many = [Cycle() for _ in range(200_000)]
    assert gc.get_stats()[2]["collections"] == before
    assert len(many) == 200_000


@pytest.mark.parametrize(
    ("seconds", "connections", "swept"),
    [(59, 0, False), (60, FEW - 1, True), (60, FEW, False), (899, 5000, False), (900, 5000, True)],
)
def test_the_old_is_swept_when_few_are_connected_or_after_a_long_time(
    seconds: float, connections: int, *, swept: bool
):
    sweeping = Sweeping(1000.0)
    gone = weakref.ref(Cycle())
    gc.disable()
    try:
        gc.freeze()
        gc.unfreeze()  # whatever its age was, it is old now
        sweeping.tick(1000.0 + seconds, connections)
        assert (gone() is None) == swept
        again = weakref.ref(Cycle())
        sweeping.tick(1001.0 + seconds, 0)
        assert again() is not None or not swept
    finally:
        gc.enable()


def test_afterwards_the_young_are_looked_at_as_before_and_what_is_there_is_out_of_it():
    usual = gc.get_threshold()
    with pytest.raises(KeyError), loading():
        raise KeyError
    assert gc.get_threshold()[:2] == usual[:2]
    assert gc.get_freeze_count() > 0
    mine = Cycle()
    assert any(thing is mine for thing in gc.get_objects())
