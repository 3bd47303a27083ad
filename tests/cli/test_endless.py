"""Commands that go on: each line as it comes, through a broker's restart, and 0 at the end however it is asked for."""

import asyncio
import json
import os
import pty
import signal
import sys
from asyncio.subprocess import PIPE, Process, create_subprocess_exec
from collections.abc import Callable
from pathlib import Path

import pytest

from broker.client import fetch
from tests.cli.command import at, end, environment, start
from tests.client.scripted import answered, loopback, scripted

pytestmark = pytest.mark.e2e

ROW = dict.fromkeys(fetch._ROW) | {
    "degraded": [],
    "identity": "a-name",
    "state": "fresh",
    "roles": [],
    "key": "k" * 90,
    "next_try": "soon",
}
LISTED = answered(200, {"identities": [ROW]})


def good(value: str) -> bytes:
    return answered(200, {"token": value}, head=f'ETag: W/"{value}"\r\n')


async def line(process: Process) -> str:
    assert process.stdout
    async with asyncio.timeout(30):
        return (await process.stdout.readline()).decode()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_following_through_a_restart_prints_each_token_once(tmp_path: Path, number: signal.Signals):
    with scripted(tmp_path / "s", good("a"), good("b"), b""):
        process = await start("token", "--follow", **at(tmp_path / "s"))
        assert [await line(process), await line(process)] == ["a\n", "b\n"]
        assert process.stderr
        told = (await process.stderr.readline()).decode()
    (tmp_path / "s").unlink()
    with scripted(tmp_path / "s", good("b"), good("c"), None):
        assert await line(process) == "c\n"
        process.send_signal(number)
        ended = await end(process)
    assert (ended.code, ended.out, ended.err) == (0, "", "")
    assert told.startswith("broker: the broker at ")
    assert told.endswith("; following on once that is over\n")


@pytest.mark.parametrize(
    "args", [("token", "--follow"), ("status", "--watch"), ("status", "--watch", "--json")]
)
async def test_a_reader_that_leaves_ends_it_with_0_at_once(args: tuple[str, ...]):
    """The next token may be hours away."""
    server, port = loopback()
    replies = [good("a"), None] if args[0] == "token" else [LISTED, None]
    read, write = os.pipe()
    with scripted(server, *replies):
        process = await create_subprocess_exec(
            *(sys.executable, "-m", "broker", *args),
            stdout=write,
            stderr=PIPE,
            env=environment({"KAKAOCLOUD_BROKER_URL": f"http://127.0.0.1:{port}"}),
        )
        os.close(write)
        assert await asyncio.to_thread(os.read, read, 1)
        os.close(read)
        async with asyncio.timeout(10):
            _, err = await process.communicate()
    assert (process.returncode, err) == (0, b"")


async def test_watching_as_json_is_a_document_a_line_also_while_the_broker_is_away(tmp_path: Path):
    process = await start("status", "--watch", "--json", **at(tmp_path / "s"))
    away = json.loads(await line(process))
    with scripted(tmp_path / "s", LISTED):
        while (shown := json.loads(await line(process)))["identities"] == []:
            pass
    process.send_signal(signal.SIGINT)
    assert (await end(process)).code == 0
    assert away["error"].startswith("no broker is running at ")
    assert shown == {"identities": [ROW]}


async def test_watching_into_a_file_prints_whole_tables(tmp_path: Path):
    with scripted(tmp_path / "s", LISTED):
        process = await start("status", "--watch", **at(tmp_path / "s"))
        lines = [await line(process) for _ in range(6)]
        process.send_signal(signal.SIGTERM)
        ended = await end(process)
    assert (ended.code, ended.err) == (0, "")
    assert lines[:3] == lines[3:]
    assert "k" * 90 in lines[1]
    assert lines[2] == "\n"


async def test_on_a_terminal_it_is_drawn_in_place_and_fits(tmp_path: Path):
    ours, theirs = pty.openpty()
    with scripted(tmp_path / "s", LISTED, b""):
        process = await create_subprocess_exec(
            *(sys.executable, "-m", "broker", "status", "--watch"),
            stdout=theirs,
            stderr=PIPE,
            env=environment({**at(tmp_path / "s"), "COLUMNS": "80"}),
        )
        os.close(theirs)
        shown = await asyncio.to_thread(
            _until, ours, lambda text: text.count("\x1b[H") >= 2 and "broke off" in text
        )
        process.send_signal(signal.SIGINT)
        _, err = await process.communicate()
    os.close(ours)
    assert (process.returncode, err) == (0, b"")
    first = shown.split("\x1b[H")[1].replace("\x1b[K", "").splitlines()
    assert first[0].endswith("Ctrl-C ends it")
    assert first[3].startswith("a-name ")
    assert "k..." in first[3]
    assert all(len(text) <= 80 for text in first)


def _until(terminal: int, enough: Callable[[str], bool]) -> str:
    shown = ""
    while not enough(shown):
        shown += os.read(terminal, 65536).decode()
    return shown
