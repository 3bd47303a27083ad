"""What a token file holds, whatever comes: the token of now, an earlier one that is good, or nothing."""

import asyncio
import errno
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import structlog.testing

from broker.core.model import Token
from broker.sinks import disk, work
from broker.sinks.content import content
from broker.sinks.flight import DEADLINE
from broker.sinks.sink import ENDING, LOOK_EVERY, Sink
from broker.sinks.token_file import TokenFile
from broker.sinks.trouble import Emptied
from tests.core.builders import held
from tests.fakes.clock import FakeClock
from tests.sinks.kept import Kept, Runs, kept, leftovers, token_file, until

LIFE = 43200.0


async def test_it_holds_each_new_token(tmp_path: Path):
    async with kept(token_file(tmp_path / "t")) as one:
        for name in ("one", "two"):
            one.gets(name)
            await one.holds(name)
            assert one.sink.state == "current"
    assert os.listdir(tmp_path) == []  # noqa: PTH208


async def test_what_lies_there_at_start_is_removed_while_there_is_no_token(tmp_path: Path):
    """Nobody knows whether what a broker that was killed has left is still good."""
    path = tmp_path / "t"
    path.touch(0o600)
    path.write_text("of an earlier run")
    half = tmp_path / ".t.0123456789abcdef.broker-new"
    half.write_text("half")
    async with kept(token_file(path)) as one:
        await one.holds(None)
        await until(lambda: not half.exists())
        assert one.sink.state == "absent"


async def test_what_lies_there_at_start_stays_if_it_is_what_would_be_written(tmp_path: Path):
    path = tmp_path / "t"
    path.touch(0o600)
    path.write_text("one")
    before = path.stat()
    async with kept(token_file(path)) as one:
        one.gets("one")
        await until(lambda: one.sink.state == "current")
        assert path.stat() == before, "nobody has to read it anew"


async def test_what_lies_there_at_start_is_replaced_otherwise_and_never_missing(tmp_path: Path):
    path = tmp_path / "t"
    (tmp_path / ".t.0123456789abcdef.broker-new").touch()
    path.touch(0o600)
    path.write_text("of an earlier run")
    async with kept(token_file(path)) as one:
        one.gets("one")
        while one.sink.state != "current":
            assert path.read_text()
            await until(lambda: True)
        assert one.content() == "one"
        assert leftovers(tmp_path) == []


@pytest.mark.parametrize("life", [20.0, LIFE])
async def test_a_token_that_is_not_replaced_leaves_the_file_before_its_end(tmp_path: Path, life: float):
    """L1: also where IAM cannot be asked, and nobody tells."""
    async with kept(token_file(tmp_path / "t")) as one:
        token = one.gets("one", life)
        await one.holds("one")
        await one.clock.advance(token.span.deadline - one.clock.now() - 1.1)
        assert one.content() == "one", "it is good"
        await one.clock.advance(0.7)
        await one.holds(None)
        assert one.clock.now() < token.span.deadline
        one.become(None)
        one.gets("two")
        await one.holds("two")


async def test_after_a_sleep_of_the_machine_the_tick_sees_that_it_has_ended(tmp_path: Path):
    """Timers stand still while the machine sleeps, the clock of tokens does not."""
    async with kept(token_file(tmp_path / "t")) as one:
        one.gets("one")
        await one.holds("one")
        one.clock.at += LIFE  # no timer hears of it
        assert one.content() == "one"
        one.sink.tick(one.clock.now())
        await one.holds(None)


async def test_a_dead_token_leaves_the_file_at_once(tmp_path: Path):
    async with kept(token_file(tmp_path / "t")) as one:
        token = one.gets("one")
        await one.holds("one")
        with structlog.testing.capture_logs() as log:
            one.become(None, token.token.digest)
            await one.holds(None)
        assert [event["because"] for event in log] == ["its token is dead"]
        one.gets("two")
        await one.holds("two")


async def test_a_dead_token_leaves_the_file_also_where_its_successor_cannot_be_written(tmp_path: Path):
    template = tmp_path / "template"
    template.write_text("{{ token }}")
    async with kept(token_file(tmp_path / "t", template=template)) as one:
        token = one.gets("one")
        await one.holds("one")
        template.write_text("{{ nothing }}")
        one.become(held("two", sent_at=one.clock.now()), token.token.digest)
        await one.holds(None)
        await one.fails("'nothing' is undefined")


async def test_a_good_token_stays_where_its_successor_cannot_be_written_until_its_own_end(tmp_path: Path):
    template = tmp_path / "template"
    template.write_text("{{ token }}")
    async with kept(token_file(tmp_path / "t", template=template)) as one:
        first = one.gets("one", life=600)
        await one.holds("one")
        await one.clock.advance(300)
        template.write_text("{{ token")
        one.gets("two")
        await one.fails("correct that line")
        assert (one.content(), one.sink.state) == ("one", "older")
        await one.clock.advance(first.span.deadline - one.clock.now() - 0.5)
        await one.holds(None)
        template.write_text("[{{ token }}]")
        await one.clock.advance(60)
        await one.holds("[two]")
        assert one.sink.trouble is None


async def test_what_fails_is_tried_again_ever_more_slowly_and_at_once_with_a_new_token(tmp_path: Path):
    folder = tmp_path / "later"
    async with kept(token_file(folder / "t")) as one:
        one.gets("one")
        await one.fails(f"create its folder: install -d -m 0750 -o {os.geteuid()} {folder}")
        folder.mkdir()
        await one.clock.advance(0.9)
        assert one.content() is None
        await one.clock.advance(0.2)
        await one.holds("one")
        assert one.sink.trouble is None


async def test_a_file_that_somebody_removes_or_changes_is_written_again(tmp_path: Path):
    async with kept(token_file(tmp_path / "t")) as one:
        one.gets("one")
        await one.holds("one")
        for spoil in (one.path.unlink, lambda: one.path.write_text("spoilt"), lambda: one.path.chmod(0o644)):
            spoil()
            await one.clock.advance(LOOK_EVERY)
            await one.holds("one")
            await until(lambda: one.path.stat().st_mode & 0o777 == 0o600)


async def test_a_changed_template_is_taken_up(tmp_path: Path):
    template = tmp_path / "template"
    template.write_text("{{ token }}")
    async with kept(token_file(tmp_path / "t", template=template)) as one:
        one.gets("one")
        await one.holds("one")
        template.write_text("[{{ token }}]")
        await one.clock.advance(LOOK_EVERY)
        await one.holds("[one]")


async def test_new_settings_hold_at_once(tmp_path: Path):
    async with kept(token_file(tmp_path / "t")) as one:
        one.gets("one")
        await one.holds("one")
        one.sink.change(token_file(tmp_path / "t", form="header", mode=0o640))
        await one.holds("X-Auth-Token: one\n")
        assert one.path.stat().st_mode & 0o777 == 0o640


async def test_another_identity_takes_the_token_of_the_first_out_at_once(tmp_path: Path):
    async with kept(token_file(tmp_path / "t")) as one:
        one.gets("one")
        await one.holds("one")
        one.sink.change(token_file(tmp_path / "t", identity="other"))
        one.become(None)
        await one.holds(None)


async def test_at_the_end_it_is_removed_or_kept(tmp_path: Path):
    async with kept(token_file(tmp_path / "t"), keep_after=True) as one:
        one.gets("one")
        await one.holds("one")
    assert one.content() == "one"
    async with kept(token_file(tmp_path / "t")) as one:
        one.gets("one")
        await until(lambda: one.sink.state == "current")
    assert one.content() is None


Write = Callable[..., work.Written]


class Gate:
    """A disk that hangs until the test lets it go on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.open = threading.Event()
        self.reached = threading.Event()
        self.write: Write = work.write
        monkeypatch.setattr(work, "write", self)

    def __call__(self, *args: object, **more: object) -> work.Written:
        self.reached.set()
        assert self.open.wait(20)
        return self.write(*args, **more)


async def hanging(one: Kept, gate: Gate) -> None:
    one.gets("one")
    await until(gate.reached.is_set)


async def test_a_disk_that_hangs_is_told_of_and_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    gate = Gate(monkeypatch)
    async with kept(token_file(tmp_path / "t")) as one:
        await hanging(one, gate)
        await one.clock.advance(DEADLINE)
        await one.fails("its disk hangs; check the disk and its mount")
        gate.open.set()
        await one.holds("one")
        assert one.sink.trouble is None


async def test_a_disk_that_hangs_and_then_fails_is_told_of_as_failing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    gate = Gate(monkeypatch)
    async with kept(token_file(tmp_path / "nowhere/t")) as one:
        await hanging(one, gate)
        await one.clock.advance(DEADLINE)
        await one.fails("its disk hangs")
        gate.open.set()
        await one.fails("create its folder")


async def test_a_disk_that_hangs_holds_up_no_other_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """L12."""
    gate = Gate(monkeypatch)
    async with kept(token_file(tmp_path / "t")) as one, kept(token_file(tmp_path / "u")) as other:
        await hanging(one, gate)
        monkeypatch.setattr(work, "write", gate.write)
        other.gets("one")
        await until(lambda: other.content() == "one")
        assert one.content() is None
        gate.open.set()
        await one.holds("one")


async def test_what_a_disk_that_hung_would_write_is_not_put_in_place_when_it_is_out_of_date(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    gate = Gate(monkeypatch)
    async with kept(token_file(tmp_path / "t")) as one:
        await hanging(one, gate)
        one.clock.at += LIFE  # hours later
        one.become(None)
        gate.open.set()
        await until(lambda: not one.busy)
        assert one.content() is None
        assert leftovers(tmp_path) == []


async def test_the_newest_token_wins_over_those_that_came_while_a_disk_hung(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    gate = Gate(monkeypatch)
    async with kept(token_file(tmp_path / "t", on_change=("true",))) as one:
        await hanging(one, gate)
        one.gets("two")
        one.gets("three")
        gate.open.set()
        await one.holds("three")
        await until(lambda: len(one.runs.files) == 1)


async def test_a_token_that_dies_while_it_is_written_does_not_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    gate = Gate(monkeypatch)
    async with kept(token_file(tmp_path / "t")) as one:
        await hanging(one, gate)
        assert one.lease.held is not None
        write = gate.write
        # It was too late to stop it.
        gate.write = lambda file, held, known, _, **more: write(file, held, known, lambda: True, **more)
        one.become(None, one.lease.held.token.digest)
        gate.open.set()
        await one.holds(None)
        assert one.sink.state == "absent"


async def test_a_disk_that_hangs_does_not_hold_up_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    gate = Gate(monkeypatch)
    async with kept(token_file(tmp_path / "t")) as one:
        await hanging(one, gate)
        task = asyncio.create_task(one.sink.end(remove=True))
        await one.clock.advance(0)
        await one.clock.advance(2)
        await until(task.done)
        assert "hangs" in (one.sink.trouble or "")
        gate.open.set()
        await until(lambda: not one.busy)


@contextmanager
def hanging_template(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What is asked of it while it hangs, as on a server that is away; the file itself lies elsewhere."""
    asked: list[str] = []
    gate = threading.Event()

    def filled(file: TokenFile, token: Token) -> bytes:
        asked.append(token.value.reveal())
        assert gate.wait(20)
        return content(file, token)

    with monkeypatch.context() as patched:
        patched.setattr(work, "content", filled)
        try:
            yield asked
        finally:
            gate.set()


async def test_a_token_leaves_the_file_also_while_its_successors_template_hangs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """L1; and the template is not asked again before it has answered, or threads would pile up."""
    async with kept(token_file(tmp_path / "t")) as one:
        token = one.gets("one")
        await one.holds("one")
        with hanging_template(monkeypatch) as asked:
            one.become(held("two", sent_at=one.clock.now()), token.token.digest)
            await until(lambda: asked)
            assert one.content() == "one", "it may still come at once"
            await one.clock.advance(DEADLINE)
            await until(lambda: one.content() is None)
            await one.clock.advance(300)
            await one.fails("does not answer; check the disk and its mount")
            assert asked == ["two"]
        await until(lambda: not one.busy)
        await one.clock.advance(60)
        await one.holds("two")
        assert one.sink.trouble is None


async def test_a_template_that_hangs_does_not_keep_the_token_in_the_file_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    async with kept(token_file(tmp_path / "t")) as one:
        one.gets("one")
        await one.holds("one")
        with hanging_template(monkeypatch) as asked, structlog.testing.capture_logs() as log:
            one.gets("two")
            await until(lambda: asked)
            await asyncio.wait_for(one.sink.end(remove=True), 5)
            assert one.content() is None
    assert [event["event"] for event in log] == ["file_removed"]


async def test_a_server_of_files_that_times_out_is_told_of_and_not_stormed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Python calls it a TimeoutError, as it does a wait of its own."""
    tries: list[TokenFile] = []

    def away(file: TokenFile, known: object) -> bool:
        del known
        tries.append(file)
        raise OSError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))

    async with kept(token_file(tmp_path / "t")) as one:
        token = one.gets("one")
        await one.holds("one")
        with monkeypatch.context() as patched:
            patched.setattr(disk, "remove", away)
            one.become(None, token.token.digest)
            await one.fails("cannot be removed, and may hold a token that has ended (connection timed out)")
            await until(lambda: not one.busy)
            assert len(tries) == 1


async def test_another_identity_while_the_token_of_the_first_is_written_takes_it_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    gate = Gate(monkeypatch)
    async with kept(token_file(tmp_path / "t")) as one:
        await hanging(one, gate)
        write = gate.write
        # It was too late to stop it.
        gate.write = lambda file, held, known, _, **more: write(file, held, known, lambda: True, **more)
        one.sink.change(token_file(tmp_path / "t", identity="other"))
        one.become(None)
        gate.open.set()
        await until(lambda: one.sink.state == "absent")
        assert one.content() is None


async def test_a_defect_is_told_of_and_the_file_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patched:
        patched.setattr(work, "write", broken)
        async with kept(token_file(tmp_path / "t"), keep_after=True) as one:
            one.gets("one")
            await one.fails("by a defect of the broker")
            patched.undo()
            await one.clock.advance(2)
            await one.holds("one")


async def test_the_command_is_run_after_each_change_and_once_for_what_an_earlier_run_has_left(tmp_path: Path):
    """A broker that was killed may not have come to it."""
    path = tmp_path / "t"
    path.touch(0o600)
    path.write_text("one")
    async with kept(token_file(path, on_change=("true",))) as one:
        one.gets("one")
        await until(lambda: len(one.runs.files) == 1)
        path.touch()
        await one.clock.advance(LOOK_EVERY)
        await until(lambda: not one.busy)
        assert len(one.runs.files) == 1, "nothing has changed"
        one.gets("two")
        await until(lambda: len(one.runs.files) == 2)
        one.become(None, one.lease.held.token.digest if one.lease.held else "")
        await one.holds(None)
        assert len(one.runs.files) == 2, "there is nothing to read"


async def test_a_token_that_cannot_be_removed_is_told_of_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """L1, as far as the disk lets it."""

    def stuck(file: TokenFile, known: object) -> bool:
        del file, known
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    async with kept(token_file(tmp_path / "t")) as one:
        token = one.gets("one")
        await one.holds("one")
        with monkeypatch.context() as patched:
            patched.setattr(disk, "remove", stuck)
            one.become(None, token.token.digest)
            await one.fails("cannot be removed, and may hold a token that has ended (read-only file system)")
            assert one.sink.state == "older"
        await one.clock.advance(1)
        await one.holds(None)
        await until(lambda: one.sink.trouble is None)


async def test_a_file_that_was_emptied_for_want_of_better_is_told_of_until_the_next_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def emptied(file: TokenFile, known: object) -> bool:
        del known
        os.truncate(file.path, 0)
        raise Emptied(OSError(errno.EACCES, os.strerror(errno.EACCES)))

    async with kept(token_file(tmp_path / "t")) as one:
        token = one.gets("one")
        await one.holds("one")
        with monkeypatch.context() as patched:
            patched.setattr(disk, "remove", emptied)
            one.become(None, token.token.digest)
            await one.fails("could not be removed, and was emptied")
        assert (one.content(), one.sink.state) == ("", "absent")
        one.gets("two")
        await one.holds("two")
        assert one.sink.trouble is None


async def test_a_folder_that_has_become_something_else_is_told_of(tmp_path: Path):
    folder = tmp_path / "folder"
    folder.mkdir()
    async with kept(token_file(folder / "t")) as one:
        one.gets("one")
        await one.holds("one")
        folder.rename(tmp_path / "moved")
        folder.touch()
        await one.clock.advance(LOOK_EVERY)
        await one.fails("(not a directory); create its folder")
        folder.unlink()
        (tmp_path / "moved").rename(folder)
        await one.clock.advance(LOOK_EVERY)
        await until(lambda: one.sink.trouble is None)
        assert one.content() == "one"


async def test_a_disk_that_hangs_at_the_removal_at_the_end_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    go_on, reached = threading.Event(), threading.Event()

    def hangs(file: TokenFile, known: object) -> bool:
        del file, known
        reached.set()
        return go_on.wait(20)

    async with kept(token_file(tmp_path / "t")) as one:
        one.gets("one")
        await one.holds("one")
        monkeypatch.setattr(disk, "remove", hangs)
        ending = asyncio.create_task(one.sink.end(remove=True))
        await until(reached.is_set)
        await one.clock.advance(ENDING)
        await until(ending.done)
        assert "its disk hangs" in (one.sink.trouble or "")
        go_on.set()
        await until(lambda: not one.busy)


async def test_a_file_that_comes_back_waits_until_its_predecessor_has_ended(tmp_path: Path):
    """Or the end of the one would remove what the other has written."""
    before: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    clock = FakeClock()
    sink = Sink(token_file(tmp_path / "t"), clock)
    sink.start(before)
    one = Kept(sink, clock, Runs())
    one.gets("one")
    await clock.advance(1)
    assert one.content() is None
    before.set_result(None)
    await one.holds("one")
    await sink.end(remove=True)
