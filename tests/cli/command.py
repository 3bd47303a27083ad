"""The command as a process."""

import asyncio
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from subprocess import PIPE

from broker.client.address import VARIABLE

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Ended:
    code: int | None
    out: str
    err: str

    def one_sentence(self, code: int) -> str:
        """The error, which is one line on stderr and nothing on stdout."""
        assert (self.code, self.out) == (code, ""), self
        assert self.err.count("\n") == 1
        assert self.err.startswith("broker: ")
        return self.err.removeprefix("broker: ").removesuffix("\n")


def environment(changes: Mapping[str, str]) -> dict[str, str]:
    """This process's environment without any broker or key in it, and with the interpreter's own buffers."""
    ours = ("KAKAOCLOUD_", "OS_", "XDG_RUNTIME_DIR", "RUNTIME_DIRECTORY", "PYTHONUNBUFFERED")
    kept = {name: text for name, text in os.environ.items() if not name.startswith(ours)}
    return {**kept, "PYTHONWARNINGS": "default", **changes}


async def start(*args: str | bytes, **environ: str) -> asyncio.subprocess.Process:
    """Start `broker ARGS`."""
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "broker", *args, stdout=PIPE, stderr=PIPE, env=environment(environ)
    )


async def piped(text: bytes, *args: str | bytes, **environ: str) -> Ended:
    """Run `broker ARGS` with this on its stdin."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "broker", *args),
        stdin=PIPE,
        stdout=PIPE,
        stderr=PIPE,
        env=environment(environ),
    )
    async with asyncio.timeout(30):
        out, err = await process.communicate(text)
    return Ended(process.returncode, out.decode(), err.decode())


async def start_python(program: str, **environ: str) -> asyncio.subprocess.Process:
    """Start a program that calls the command its own way."""
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", program), stdout=PIPE, stderr=PIPE, env=environment(environ), cwd=ROOT
    )


async def end(process: asyncio.subprocess.Process) -> Ended:
    """Wait for its end."""
    async with asyncio.timeout(30):
        out, err = await process.communicate()
    return Ended(process.returncode, out.decode(), err.decode())


async def broker(*args: str | bytes, **environ: str) -> Ended:
    """Run `broker ARGS` to its end."""
    return await end(await start(*args, **environ))


def at(path: object) -> dict[str, str]:
    """The environment of a client of the broker at this socket."""
    return {VARIABLE: f"unix://{path}"}
