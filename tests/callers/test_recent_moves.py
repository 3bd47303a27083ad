"""Whatever processes do, what is remembered under a pid is of the process that has it, and a second old at most."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from broker.callers import process
from broker.callers.recent import Recent, Seen
from broker.callers.units import Lodging
from tests.callers.loopback import open_files
from tests.callers.remembering import Process
from tests.fakes.clock import FakeClock


class Street:
    """Processes that move, end and are followed by others under their pids."""

    def __init__(self, houses: int) -> None:
        self.clock = FakeClock()
        self.memory = Recent(self.clock.now)
        self.living = [Process() for _ in range(houses)]
        self.gone: list[Process] = []
        self.at = ["first"] * houses
        self.were: list[list[tuple[float, str]]] = [[] for _ in range(houses)]  # until when it was there

    def move(self, pid: int, unit: str) -> None:
        self.were[pid].append((self.clock.at, self.at[pid]))
        self.at[pid] = unit

    def follow(self, pid: int, unit: str) -> None:
        self.living[pid].end()
        self.gone.append(self.living[pid])
        self.living[pid], self.at[pid], self.were[pid] = Process(), unit, []

    def told(self, pid: int) -> str | None:
        def look(_: Path, looked_at: int, uid: int) -> Seen:
            del uid
            return Seen(at=Lodging(self.at[looked_at]))

        found = process.seen(self.living[pid], pid, 1001, Path("/proc"), look, self.memory)
        return None if found is None else found.at.unit

    def may_be_told(self, pid: int) -> set[str]:
        return {self.at[pid], *(unit for until, unit in self.were[pid] if until > self.clock.at - 1)}

    def close(self) -> None:
        self.memory.close()
        for one in (*self.living, *self.gone):
            one.close()


MOVES = st.tuples(
    st.sampled_from(["move", "follow", "stay"]), st.integers(0, 2), st.sampled_from([0.0, 0.3, 0.5, 1.0])
)


@given(st.lists(MOVES, max_size=40))
def test_whatever_happens_a_process_is_told_to_be_where_it_itself_was_within_the_last_second(moves):
    before = open_files()
    street = Street(3)
    for number, (move, pid, passed) in enumerate(moves):
        if move == "move":
            street.move(pid, str(number))
        elif move == "follow":
            street.follow(pid, str(number))
        street.clock.at += passed
        assert street.told(pid) in street.may_be_told(pid)
    street.close()
    assert open_files() == before
