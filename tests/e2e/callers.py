"""Callers of a broker that are anybody: any user with any groups, in another namespace, in a unit, or gone by now.

They are real processes, made by `caller_process`, which runs as root in the place where they shall be.
"""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.contracts.fake_world import FakeWorld
from tests.e2e import caller_process, keys
from tests.e2e.command import BROKER, ROOT, environment, reachable_broker
from tests.e2e.daemon import Daemon, Table
from tests.e2e.waiting import until

SECONDS = 30.0
# `broker run` that finds no sign of a container, wherever these tests run.
_AS_ON_A_HOST = """
import os
from broker.callers import container
container._MARKS, container.FIRST_PID_NAMESPACE = (), container.pid_namespace()
for name in ("KUBERNETES_SERVICE_HOST", "container"):
    os.environ.pop(name, None)
from broker.__main__ import main
main()
"""
Answers = list[tuple[int, str | None]]


@dataclass(frozen=True, slots=True)
class Who:
    """A user, with a gid of the same number where none is given."""

    uid: int
    gid: int | None = None
    groups: tuple[int, ...] = ()
    group_of_control: Path | None = None


class Crew:
    """The place where callers are made."""

    def __init__(self, child: asyncio.subprocess.Process) -> None:
        self._child = child

    async def ask(
        self, who: Who, where: Path | int, *paths: str, own_port: int = 0, way: str = "stay"
    ) -> Answers | str:
        """Status and code of each answer, over a socket or to a port of loopback; or the error's name."""
        [said] = await self.say([order(who, where, *paths, own_port=own_port, way=way)])
        return told(said)

    async def leave(self, who: Who, where: Path | int, *paths: str, own_port: int = 0) -> int:
        """Connect and ask, and end; a child of it will read. The pid that it had."""
        [said] = await self.say([order(who, where, *paths, own_port=own_port, way="leave")])
        return int(said["pid"])

    async def collect(self, pid: int) -> Answers | str:
        """What came back to whoever has left."""
        [said] = await self.say([{"collect": pid}])
        return told(said)

    async def say(self, orders: Iterable[Table]) -> Sequence[dict[str, Any]]:
        """Give these orders, one after the other."""
        lines = [json.dumps(one).encode() + b"\n" for one in orders]
        assert self._child.stdin
        assert self._child.stdout
        self._child.stdin.writelines(lines)
        await self._child.stdin.drain()
        async with asyncio.timeout(SECONDS):
            said = [await self._child.stdout.readline() for _ in lines]
        assert all(said), "the crew has ended"
        return [json.loads(line) for line in said]


def order(who: Who, where: Path | int, *paths: str, own_port: int = 0, way: str = "stay") -> Table:
    """As `caller_process` takes it."""
    return {
        "uid": who.uid,
        "gid": who.uid if who.gid is None else who.gid,
        "groups": who.groups,
        "group_of_control": who.group_of_control and str(who.group_of_control),
        "socket": str(where) if isinstance(where, Path) else None,
        "port": where if isinstance(where, int) else 0,
        "own_port": own_port,
        "paths": paths,
        "way": way,
    }


def told(said: dict[str, Any]) -> Answers | str:
    """What one order came to."""
    if "error" in said:
        return str(said["error"])
    return [(status, code) for status, code in said["answers"]]


@asynccontextmanager
async def crew(*prefix: str) -> AsyncIterator[Crew]:
    """A crew in the place that `prefix` makes, as `unshare --pid --fork`."""
    child = await asyncio.create_subprocess_exec(
        *(*prefix, sys.executable, caller_process.__file__),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
        env=environment(),
    )
    try:
        yield Crew(child)
    finally:
        assert child.stdin
        child.stdin.close()
        async with asyncio.timeout(SECONDS):
            await child.wait()


@asynccontextmanager
async def standing(
    folder: Path,
    names: Sequence[str],
    listen: Sequence[Table],
    grants: Sequence[Table] = (),
    *,
    owner: int | None = None,
    on_a_host: bool = True,
) -> AsyncIterator[Daemon]:
    """A broker that holds a token for each of these names; run by `owner`, if not by us, and maybe where the tests are."""
    command, own = (BROKER, None) if owner is None else reachable_broker()
    if on_a_host:
        command = [command[0], "-c", _AS_ON_A_HOST]
    become = [] if owner is None else ["setpriv", f"--reuid={owner}", f"--regid={owner}", "--clear-groups"]
    async with AsyncExitStack() as stack:
        world = await stack.enter_async_context(FakeWorld.serving())
        identities = {
            name: {"keys": [keys.directory(folder / name, await world.add_key(await world.add_user()))]}
            for name in names
        }
        daemon = Daemon(
            folder / "b",
            iam={"url": world.url},
            identities=identities,
            listen=listen,
            grants=grants,
            own=own,
            prefix=become,
            command=command,
        )
        if owner is not None:
            _give(folder, owner)
        await stack.enter_async_context(daemon)

        async def ready() -> bool:
            return (await daemon.client.get("/readyz")).status == 200

        await until(ready, SECONDS, "it holds its tokens")
        yield daemon


def _give(folder: Path, owner: int) -> None:
    for path in folder, *folder.rglob("*"):
        os.chown(path, owner, -1)
