"""`broker demo`: a token on the first try, and nothing left behind, however it ends."""

import asyncio
import re
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.command import Ended, broker, end, start

pytestmark = pytest.mark.e2e

# The demo uses this where the usual place is too long for a socket.
SHORT = Path("/tmp")  # noqa: S108


def left_behind(*folders: Path, what: str = "kakaocloud-broker-demo-*") -> list[Path]:
    return [path for folder in folders for path in folder.glob(what)]


def shows_a_token(ended: Ended) -> None:
    assert (ended.code, ended.err) == (0, "")
    assert re.search(r"^  gAAAAA\S+\.\.\. \(\d+ characters, 43\d{3} s to live\)$", ended.out, re.MULTILINE)
    assert re.search(r"^  default +fresh ", ended.out, re.MULTILINE)
    assert ended.out.endswith("Ended; nothing is left behind.\n")
    # No token stands there whole: people paste what they see.
    assert not re.search(r"gAAAAA[\w-]{20}", ended.out)


@pytest.fixture(params=["short", "x" * 120, "\u00e9" * 50], ids=["short", "long", "long in bytes"])
def place(request: pytest.FixtureRequest) -> Iterator[Path]:
    """A folder for what is temporary, perhaps too long for a socket."""
    with tempfile.TemporaryDirectory(dir=SHORT) as folder:
        path = Path(folder) / request.param
        path.mkdir()
        yield path


async def test_once_shows_a_token_and_leaves_nothing(place: Path, tmp_path: Path):
    before = left_behind(SHORT)
    shows_a_token(await broker("demo", "--once", TMPDIR=str(place), HOME=str(tmp_path)))
    assert left_behind(place, tmp_path, what="*") == []
    assert left_behind(SHORT) == before


async def test_a_proxy_of_the_environment_has_no_part_in_it():
    nowhere = "http://127.0.0.1:1"
    shows_a_token(await broker("demo", "--once", http_proxy=nowhere, https_proxy=nowhere, all_proxy=nowhere))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_two_at_once_and_a_signal_ends_each_with_0(tmp_path: Path, number: signal.Signals):
    with tempfile.TemporaryDirectory(dir=SHORT) as folder:
        demos = await asyncio.gather(*(start("demo", TMPDIR=folder, HOME=str(tmp_path)) for _ in range(2)))
        shown = await asyncio.gather(*(_until_it_waits(demo) for demo in demos))
        assert len(left_behind(Path(folder))) == 2
        for demo in demos:
            demo.send_signal(number)
        for demo, before in zip(demos, shown, strict=True):
            ended = await end(demo)
            shows_a_token(Ended(ended.code, before + ended.out, ended.err))
        assert left_behind(Path(folder), what="*") == []


async def _until_it_waits(demo: asyncio.subprocess.Process) -> str:
    assert demo.stdout
    async with asyncio.timeout(30):
        return (await demo.stdout.readuntil(b"Ctrl-C ends it.\n")).decode()
