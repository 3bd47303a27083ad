"""One headless Chromium in a session of its own: started, told to open pages, and gone at the end with all its children.

- Its names resolve to loopback alone, and nothing of it asks the network: `*.test` has two addresses as a rebinding
  name has, [::1] and then 127.0.0.1, and Chromium takes the second when the first one refuses.
- Its own guards of local networks are off: they are young, differ by version, and other browsers have none.
- A page that it is told to open is one that its user typed: Sec-Fetch-Site is `none`.
"""

import asyncio
import contextlib
import os
import shutil
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import quote

import aiohttp

from tests.e2e.command import environment
from tests.e2e.waiting import until

NAMES = ("chromium", "chromium-browser", "google-chrome")
UP = 30.0  # seconds; it takes about one
DOWN = 10.0
_GUARDS = (
    "LocalNetworkAccessChecks",
    "LocalNetworkAccessChecksWebSockets",
    "BlockInsecurePrivateNetworkRequests",
    "PrivateNetworkAccessSendPreflights",
    "PrivateNetworkAccessRespectPreflightResults",
    "HttpsUpgrades",
    "HttpsFirstBalancedModeAutoEnable",
)
_RULES = (
    "MAP *.test localhost",
    "MAP *.test. localhost",
    "EXCLUDE localhost",
    "EXCLUDE localhost.",
    "EXCLUDE *.localhost",
    "EXCLUDE 127.0.0.1",
    "EXCLUDE 0.0.0.0",
    "EXCLUDE *:*",  # addresses of IPv6
    "MAP * ~NOTFOUND",
)
_FLAGS = (
    "--headless=new",
    "--no-sandbox",  # a sandbox of its own cannot be made by root or in a container; the pages are ours
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-breakpad",
    "--disable-popup-blocking",
    "--allow-loopback-in-peer-connection",  # or a host without a network would make no calls
    "--no-first-run",
    "--no-proxy-server",
    "--remote-debugging-port=0",
    f"--disable-features={','.join(_GUARDS)}",
    f"--host-resolver-rules={','.join(_RULES)}",
)


def find() -> str | None:
    """The browser's command: $CHROMIUM, or the first of its names on PATH."""
    named = os.environ.get("CHROMIUM")
    return named or next(filter(None, map(shutil.which, NAMES)), None)


class Chromium:
    """A running browser; `profile` is the folder in which it keeps everything."""

    def __init__(
        self, profile: Path, session: aiohttp.ClientSession, process: asyncio.subprocess.Process
    ) -> None:
        self.profile = profile
        self._session = session
        self._process = process

    @asynccontextmanager
    async def page(self, url: str) -> AsyncIterator[None]:
        """Open this page in a tab, as if its user had typed it, and close the tab in the end."""
        async with self._session.put(f"{await self._door()}/json/new?{quote(url, safe='')}") as answer:
            answer.raise_for_status()
            tab = (await answer.json())["id"]
        try:
            yield
        finally:
            async with self._session.get(f"{await self._door()}/json/close/{tab}") as answer:
                await answer.read()  # a page may have closed itself

    async def _door(self) -> str:
        """Where it takes orders; it writes the port into its profile once it does."""
        return f"http://127.0.0.1:{await until(self._port, UP, 'the browser takes orders')}"

    async def _port(self) -> int | None:
        assert self._process.returncode is None, self.said
        with contextlib.suppress(FileNotFoundError, IndexError, ValueError):
            return int((self.profile / "DevToolsActivePort").read_text().splitlines()[0])
        return None

    @property
    def said(self) -> str:
        """What it wrote."""
        return (self.profile / "said").read_text(errors="replace")

    def files(self) -> Iterator[tuple[Path, bytes]]:
        """All that it keeps: caches, history, storage."""
        for folder, _, names in os.walk(self.profile):
            for path in (Path(folder, name) for name in names):
                with contextlib.suppress(OSError):  # it writes and removes all the time; some are sockets
                    yield path, path.read_bytes()


@asynccontextmanager
async def chromium(command: str, folder: Path) -> AsyncIterator[Chromium]:
    """A browser with an empty profile in this folder."""
    profile = folder / "profile"
    profile.mkdir()
    with (profile / "said").open("wb") as said:
        process = await asyncio.create_subprocess_exec(
            command,
            *_FLAGS,
            f"--user-data-dir={profile}",
            "about:blank",
            cwd=folder,
            env=environment({"HOME": str(profile)}),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
    try:
        timeout = aiohttp.ClientTimeout(total=UP)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            yield Chromium(profile, session, process)
    finally:
        await until(lambda: _end(process.pid, profile), DOWN, "the browser's processes are gone")
        await asyncio.wait_for(process.wait(), DOWN)


async def _end(session: int, profile: Path) -> bool:
    """Kill what is left of the browser; whether nothing was."""
    left = _living(session, profile)
    for process in left:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    return not left


def _living(session: int, profile: Path) -> list[int]:
    """The browser's processes: its session, and its crash handlers, which leave that and name the profile.

    Who reaps its orphans is not ours to say, so zombies do not count.
    """
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            state, _, _, of = (process / "stat").read_text().rpartition(")")[2].split()[:4]
            ours = int(of) == session or os.fsencode(profile) in (process / "cmdline").read_bytes()
            if ours and state != "Z":
                found.append(int(process.name))
    return found
