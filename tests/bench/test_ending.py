"""Whatever cuts a run short, what it started has ended; and one part that fails takes no other along."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench.speed import page, parts
from bench.speed.bench import Bench
from bench.speed.ending import CutShort, cut_short_by_signals
from bench.speed.figures import Figure
from bench.speed.processes import Failed, environment, ran, server, started, wait_until
from bench.speed.tools import Tools

ROOT = Path(__file__).parents[2]
SLEEPING = [sys.executable, "-c", "import time; time.sleep(60)"]
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(60)"
)
FIGURE = Figure("one", "this broker", "s", (1.0,))


def bench(seconds=60.0):
    return Bench(Tools(Path("/nowhere")), Path("/nowhere"), lambda _: None, False, time.monotonic() + seconds)


def told_to_end(number=signal.SIGTERM):
    os.kill(os.getpid(), number)
    time.sleep(60)


def told_twice():
    try:
        told_to_end()
    finally:
        os.kill(os.getpid(), signal.SIGINT)


def test_a_signal_ends_what_runs():
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(CutShort) as cut, cut_short_by_signals(60.0), started(SLEEPING) as child:
        told_to_end()
    assert cut.value.number == signal.SIGTERM
    assert child.returncode == -signal.SIGTERM
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_second_signal_does_not_disturb_the_ending():
    with pytest.raises(CutShort) as cut, cut_short_by_signals(60.0):
        told_twice()
    assert cut.value.number == signal.SIGTERM


def test_the_deadline_ends_it_as_well():
    with pytest.raises(CutShort) as cut, cut_short_by_signals(1.0):
        time.sleep(60)
    assert cut.value.number == signal.SIGALRM


def test_who_does_not_obey_is_killed(monkeypatch):
    monkeypatch.setattr("bench.speed.processes._ENDS_WITHIN", 0.1)
    with started([sys.executable, "-c", STUBBORN], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
    assert child.returncode == -signal.SIGKILL


def test_what_a_command_has_started_ends_with_it():
    """The pipe ends when nobody is left to write into it."""
    code = f"import subprocess, time; subprocess.Popen({SLEEPING}); print('up', flush=True); time.sleep(60)"
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as heard:
        with os.fdopen(writing, "wb") as pipe, started([sys.executable, "-c", code], stdout=pipe):
            assert heard.readline() == b"up\n"
        assert heard.read() == b""


def test_a_command_that_takes_too_long_has_ended():
    with pytest.raises(Failed, match="longer than"):
        ran(SLEEPING, within=0.1)


def test_a_command_that_fails_says_why():
    with pytest.raises(Failed, match=r"ended with 3: .*no such thing"):
        ran(
            [sys.executable, "-c", "import sys; print('no such thing', file=sys.stderr); sys.exit(3)"],
            within=30,
        )


def test_a_server_that_ends_at_its_start_says_why(tmp_path):
    with (
        pytest.raises(Failed, match=r"ended at its start: .*no such thing"),
        server([sys.executable, "-c", "print('no such thing')"], tmp_path / "log", lambda: False),
    ):
        pass


def test_waiting_has_an_end():
    with pytest.raises(Failed, match="was not there"):
        wait_until(lambda: False, 0.02, "it")


def test_keys_of_this_host_reach_no_process(monkeypatch):
    for name in ("OS_PASSWORD", "KAKAOCLOUD_BROKER_URL", "AWS_SECRET_ACCESS_KEY", "https_proxy"):
        monkeypatch.setenv(name, "x")
        assert name not in environment()
    assert environment({"OS_CLOUD": "own"})["OS_CLOUD"] == "own"


def test_a_part_that_fails_takes_no_other_along(monkeypatch):
    def fails(_bench):
        yield FIGURE
        raise Failed("it broke")

    monkeypatch.setattr(parts, "PARTS", {"a": (fails, 0.0), "b": (lambda _: iter((FIGURE,)), 0.0)})
    its = bench()
    assert parts.figures(its, ("a", "b")) == (FIGURE, FIGURE)
    assert its.faults == ["a: it broke"]


def test_a_part_for_which_there_is_no_time_is_named(monkeypatch):
    monkeypatch.setattr(parts, "PARTS", {"a": (lambda _: iter((FIGURE,)), 100.0)})
    its = bench(seconds=50.0)
    assert parts.figures(its, ("a",)) == ()
    assert its.skipped == ["a: too little time was left; --only=a measures it alone"]


def test_the_documentation_has_a_place_for_the_figures():
    text = (ROOT / "docs/performance.md").read_text()
    assert text.index(page.BEGIN) < text.index(page.END)
