"""The command of a token file: without a shell, without a secret, in a bounded time, and never a zombie."""

import asyncio
import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest
import structlog.testing

from broker.sinks import command, hook
from broker.sinks.command import Ended
from broker.sinks.hook import Hook
from broker.sinks.token_file import TokenFile
from tests.fakes.clock import FakeClock
from tests.sinks.kept import Runs, kept, token_file, until


def ran(*argv: str, timeout: float = 10.0, path: Path = Path("/run/t")) -> Ended:
    return command.run(token_file(path, on_change=argv, timeout=timeout), threading.Event())


def python(source: str, timeout: float = 10.0) -> Ended:
    return ran(sys.executable, "-c", source, timeout=timeout)


def test_what_it_said_and_how_it_ended():
    ended = ran("printf", "%s|", "a b", "$(id)", "*")
    assert (ended.code, ended.said, ended.whole, ended.trouble) == (0, b"a b|$(id)|*|", True, None)


@pytest.mark.parametrize(
    ("argv", "code", "trouble"),
    [
        (("false",), 1, "the command false of /run/t exited with 1; "),
        (("sh", "-c", "kill -9 $$"), -9, "the command sh of /run/t was ended by SIGKILL; "),
        (
            ("/nowhere/x",),
            None,
            "the command /nowhere/x of /run/t cannot be started (no such file or directory); ",
        ),
        (("/etc",), None, "the command /etc of /run/t cannot be started (permission denied); "),
    ],
)
def test_a_failure_is_one_sentence(argv: tuple[str, ...], code: int | None, trouble: str):
    ended = ran(*argv)
    assert ended.code == code
    assert (ended.trouble or "").startswith(trouble)


def test_its_environment_is_its_own(monkeypatch: pytest.MonkeyPatch):
    """No key, nothing of the broker's settings; but what a program needs to find others."""
    for name in (
        "OS_APPLICATION_CREDENTIAL_SECRET",
        "KAKAOCLOUD_BROKER_IAM__URL",
        "OS_TOKEN",
        "PYTHONPATH",
        "http_proxy",
    ):
        monkeypatch.setenv(name, "secret")
    monkeypatch.setenv("LANG", "ko_KR.UTF-8")
    told = dict(line.split("=", 1) for line in ran("/usr/bin/env").said.decode().splitlines())
    assert told.keys() <= {*command._KEPT, "KAKAOCLOUD_BROKER_FILE", "KAKAOCLOUD_BROKER_FILE_IDENTITY"}
    assert (told["KAKAOCLOUD_BROKER_FILE"], told["KAKAOCLOUD_BROKER_FILE_IDENTITY"]) == ("/run/t", "default")
    assert told["LANG"] == "ko_KR.UTF-8"
    monkeypatch.delenv("PATH")
    assert command.variables(token_file(Path("/t")), os.environ)["PATH"].startswith("/usr/local/sbin:")


def test_it_has_no_descriptor_of_ours_and_nothing_to_read():
    source = (
        "import os, sys\n"
        "there = os.listdir('/proc/self/fd')\n"  # which has one of its own, that is closed then
        "there = sorted(int(fd) for fd in there if os.path.exists(f'/proc/self/fd/{fd}'))\n"
        "print(sys.stdin.read() == '', there, os.getcwd())\n"
    )
    with open(os.devnull) as ours:  # noqa: PTH123
        os.set_inheritable(ours.fileno(), True)  # as a library may leave one
        said = python(source).said.decode()
    assert said == "True [0, 1, 2] /\n"


def test_one_that_takes_too_long_is_asked_to_end_and_then_killed_with_all_its_group():
    """Also who has not listened, and whom it has started."""
    source = (
        "import os, signal, subprocess, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: print('asked', flush=True))\n"
        "child = subprocess.Popen(['sleep', '60'])\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(30); time.sleep(30)\n"
    )
    began = time.monotonic()
    ended = python(source, timeout=0.5)
    assert time.monotonic() - began < 5
    assert ended.code == -signal.SIGKILL
    assert "had not ended after 0.5 s and was killed" in (ended.trouble or "")
    assert not alive(int(ended.said.split()[0]))


def alive(pid: int) -> bool:
    """Whether it runs; one that its adopter has not yet waited for does not."""
    until_gone = time.monotonic() + 5
    while time.monotonic() < until_gone:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]
        except (FileNotFoundError, ProcessLookupError):
            return False
        if state in "ZX":
            return False
        time.sleep(0.01)  # the kernel is at it
    return True


def test_what_it_leaves_in_the_background_is_not_waited_for():
    began = time.monotonic()
    ended = ran("sh", "-c", "sleep 3 & echo done")
    assert (ended.code, ended.said) == (0, b"done\n")
    assert time.monotonic() - began < 2


def test_however_much_it_says_little_is_kept_and_it_never_waits():
    ended = python("import sys; sys.stdout.write('x' * 5_000_000)")
    assert ended.code == 0
    assert ended.said == b"x" * command.MOST_SAID
    assert not ended.whole


def test_no_zombie_stays():
    before = children()
    for argv in (("true",), ("sh", "-c", "sleep 9")):
        ran(*argv, timeout=0.2)
    assert children() <= before


def children() -> set[str]:
    """The processes of this one that nobody has waited for; other tests have theirs."""
    found = set()
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            lines = dict(line.split(":\t", 1) for line in status.read_text().splitlines() if ":\t" in line)
        except OSError:
            continue  # it has ended meanwhile
        if lines.get("PPid") == str(os.getpid()):
            found.add(status.parent.name)
    return found


def test_the_end_of_the_broker_ends_it():
    stop = threading.Event()
    stop.set()
    ended = command.run(token_file(Path("/run/t"), on_change=("sleep", "30")), stop)
    assert ended.code == -signal.SIGTERM
    assert "was ended with the broker" in (ended.trouble or "")


# -- one run at a time


class Held:
    """Runs that wait until the test lets them end."""

    def __init__(self) -> None:
        self.files: list[TokenFile] = []
        self.go_on = threading.Semaphore(0)

    def __call__(self, file: TokenFile, stop: threading.Event) -> Ended:
        self.files.append(file)
        while not self.go_on.acquire(timeout=0.01) and not stop.is_set():
            pass
        return Ended(0, b"", whole=True, seconds=0.0)


async def test_one_run_at_a_time_and_once_more_for_all_that_came_meanwhile():
    runs = Held()
    one = Hook(FakeClock(), str, runs)
    files = [token_file(Path(f"/{name}"), on_change=("true",)) for name in "abc"]
    for file in files:
        one.ask(file)
        await until(lambda: runs.files)
    assert runs.files == files[:1]
    assert one.running
    runs.go_on.release()
    await until(lambda: len(runs.files) == 2)
    runs.go_on.release()
    await until(lambda: not one.running)
    assert runs.files == [files[0], files[2]], "the newest wins"


async def test_the_end_waits_a_little_and_then_ends_it():
    clock, runs = FakeClock(), Held()
    one = Hook(clock, str, runs)
    one.ask(token_file(Path("/t"), on_change=("true",)))
    await until(lambda: runs.files)
    ending = asyncio.create_task(one.aclose())
    await clock.advance(0)
    assert not ending.done()
    await clock.advance(hook.PATIENCE)
    await until(ending.done)
    one.ask(token_file(Path("/t"), on_change=("true",)))
    assert not one.running, "nothing is begun any more"


async def test_a_failure_is_in_the_state_until_it_works_again():
    runs = Runs(code=3)
    one = Hook(FakeClock(), str, runs)
    for code, trouble in ((3, "it failed"), (0, None)):
        runs.code = code
        one.ask(token_file(Path("/t"), on_change=("true",)))
        await until(lambda: not one.running)
        assert one.last is not None
        assert (one.last.code, one.trouble) == (code, trouble)


async def test_what_it_says_is_told_without_the_token(tmp_path: Path):
    with structlog.testing.capture_logs() as log:
        argv = ("sh", "-c", "cat $KAKAOCLOUD_BROKER_FILE; printf ' \\033[31m'; exit 1")
        async with kept(token_file(tmp_path / "t", on_change=argv), real=True) as one:
            one.gets("a-token-without-a-shape")
            await until(lambda: one.sink.hook.last)
    told = next(event for event in log if event["event"] == "on_change_failed")
    assert told["said"] == "*** ?[31m"
    assert "a-token-without-a-shape" not in str(log)


async def test_a_token_that_was_replaced_while_its_command_ran_is_not_told(tmp_path: Path):
    """It may still be good, and the command has read it."""
    go_on, seen = tmp_path / "go-on", tmp_path / "seen"
    script = f"cat $KAKAOCLOUD_BROKER_FILE; : > {seen}; until [ -e {go_on} ]; do sleep 0.01; done; exit 1"
    with structlog.testing.capture_logs() as log:
        async with kept(token_file(tmp_path / "t", on_change=("sh", "-c", script)), real=True) as one:
            first = one.gets("the-first-without-a-shape")
            await until(seen.exists)
            one.gets("the-second-without-a-shape")
            one.become(None, first.token.digest)
            go_on.touch()
            await until(lambda: one.sink.hook.last)
    told = next(event for event in log if event["event"] == "on_change_failed")
    assert told["said"] == "***"


async def test_half_a_token_at_the_cut_is_not_told(tmp_path: Path):
    token = "shapeless-" * 20
    with structlog.testing.capture_logs() as log:
        argv = ("sh", "-c", "echo first; for i in $(seq 30); do cat $KAKAOCLOUD_BROKER_FILE; done; exit 1")
        async with kept(token_file(tmp_path / "t", on_change=argv), real=True) as one:
            one.gets(token)
            await until(lambda: one.sink.hook.last)
    assert "shapeless" not in str(log)
