"""`broker run` as a process."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.app.whole import get
from tests.cli.command import Ended, end, start


class Daemon:
    """A running one; `ended` is there once `stop` has returned."""

    def __init__(self, process: asyncio.subprocess.Process, path: Path) -> None:
        self.process = process
        self.path = path
        self.ended: Ended | None = None

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> Ended:
        self.process.send_signal(number)
        self.ended = await end(self.process)
        return self.ended

    async def alive(self) -> None:
        """Return as soon as it answers."""
        async with asyncio.timeout(30):
            while True:
                assert self.process.returncode is None, await end(self.process)
                try:
                    await get(self.path, "/livez")
                except OSError:
                    await asyncio.sleep(0.01)
                else:
                    return


@asynccontextmanager
async def daemon(path: Path, **environ: str) -> AsyncIterator[Daemon]:
    """Start one that listens at this path, and end it if the test did not."""
    listen = json.dumps([{"unix": str(path)}])
    own = {"KAKAOCLOUD_BROKER_LISTEN": listen, "KAKAOCLOUD_BROKER_CACHE__PATH": str(path.parent / "cache")}
    running = Daemon(await start("run", **own, **environ), path)
    try:
        await running.alive()
        yield running
    finally:
        if running.ended is None and running.process.returncode is None:
            running.process.kill()
            await end(running.process)
