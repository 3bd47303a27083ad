"""What the garbage collector does while the daemon loads: it looks at the young alone, and is itself again afterwards."""

import gc
import sys
import weakref
from collections.abc import Iterator

import pytest

from broker.garbage import loading


class Cycle:
    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    yield
    gc.unfreeze()


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


def test_afterwards_the_collector_is_as_it_was_and_what_is_there_is_out_of_it():
    usual = gc.get_threshold()
    with pytest.raises(KeyError), loading():
        raise KeyError
    assert gc.get_threshold() == usual
    assert gc.get_freeze_count() > 0
    mine = Cycle()
    assert any(thing is mine for thing in gc.get_objects())
