"""The command `broker` as a user runs it, with an environment that holds nothing of this host's own."""

import asyncio
import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.spoken import SPOKEN

ROOT = Path(__file__).resolve().parents[2]
DEADLINE = 30.0  # seconds; far more than any of these commands takes
BROKER = (sys.executable, "-m", "broker")
_OURS = ("KAKAOCLOUD_", "OS_")
_PLACES = ("RUNTIME_DIRECTORY", "XDG_RUNTIME_DIR")


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str
    seconds: float

    @property
    def sentences(self) -> list[str]:
        """The lines on stderr."""
        return self.err.splitlines()


def environment(own: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's environment without keys, proxies and places of sockets, and with `own`."""
    plain = {
        name: value
        for name, value in os.environ.items()
        if not (name.startswith(_OURS) or name in _PLACES or name.lower().endswith("_proxy"))
    }
    return plain | dict(own or {})


def reachable_broker() -> tuple[Sequence[str], dict[str, str]]:
    """A command of the broker, and its environment, that other users can run: by a Python that they can reach."""
    python = f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}"
    packages = next(path for path in sys.path if path.endswith("site-packages"))
    if not Path(python).exists():
        pytest.skip(f"other users need {python}")
    return [python, "-m", "broker"], {"PYTHONPATH": f"{packages}:{ROOT}", "PYTHONDONTWRITEBYTECODE": "1"}


async def broker(
    *arguments: str | Path, socket: Path | None = None, own: Mapping[str, str] | None = None
) -> Ended:
    """Run it to its end; `socket` is the broker that it shall ask."""
    where = {} if socket is None else {"KAKAOCLOUD_BROKER_URL": f"unix://{socket}"}
    began = time.monotonic()
    child = await asyncio.create_subprocess_exec(
        *BROKER,
        *arguments,
        cwd=ROOT,
        env=environment({**where, **(own or {})}),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        out, err = await asyncio.wait_for(child.communicate(), DEADLINE)
    except TimeoutError:
        child.kill()
        out, err = await child.communicate()
        raise AssertionError(f"broker {arguments[0]} did not end; it wrote: {err.decode()}") from None
    assert child.returncode is not None
    ended = Ended(child.returncode, out.decode(), err.decode(), time.monotonic() - began)
    if arguments[0] == "token" and ended.code == 0 and len(arguments) < 3:
        SPOKEN.guard(ended.out.strip(), "a token")  # printing it is the command's work
    else:
        SPOKEN.said(f"stdout of broker {arguments[0]}", ended.out)
    SPOKEN.said(f"stderr of broker {arguments[0]}", ended.err)
    return ended
