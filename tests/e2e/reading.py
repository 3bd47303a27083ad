"""The reader of a token file, started beside what a test does to the writer, and asked at the end what it saw."""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

READER = Path(__file__).with_name("token_reader.py")


class Reader:
    """A reader that runs."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.figures: dict[str, int] = {}

    def well(self) -> None:
        """Raise if it has seen what must never be seen."""
        assert self._process.returncode is None, "the reader has ended, see below"

    async def stop(self) -> None:
        """End it; raises if it has seen what must never be seen."""
        if self.figures:
            return
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGTERM)
        out, err = await asyncio.wait_for(self._process.communicate(), 20)
        assert self._process.returncode == 0, err.decode()
        self.figures = json.loads(out)


@asynccontextmanager
async def reading(path: Path, form: str) -> AsyncIterator[Reader]:
    """Read this file for as long as the context lasts; `figures` are there afterwards."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(READER), str(path), form),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    reader = Reader(process)
    try:
        yield reader
        await reader.stop()
    except BaseException as error:
        if process.returncode is not None:
            error.add_note((await process.communicate())[1].decode())
        raise
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
