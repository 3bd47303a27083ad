"""A real broker with a real Keystone behind it, and clients' own tools started by `broker exec`, as users start them.

- The tools live in an environment of their own (`make e2e-tools` makes it); what is missing is a skip that says so.
- A token is revoked at Keystone behind the broker's back. Nothing tells the broker but the tool's own next question.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import pytest

from tests.contracts.world import Principal
from tests.e2e import keys
from tests.e2e.command import BROKER, Ended, environment
from tests.e2e.daemon import Daemon, Table, free_port
from tests.e2e.spoken import SPOKEN
from tests.e2e.waiting import until
from tests.keystone.asking import validate
from tests.keystone.world import KeystoneWorld
from tests.venvs import TOOLS

SECONDS = 60.0  # far more than any of these takes
NOTICED = 15.0  # for a first validation, without which the broker cannot tell a dead token
needs_tools = pytest.mark.skipif(
    not TOOLS.is_current(), reason="the clients' tools are not installed; `make e2e-tools` does that first"
)
_VALIDATED = re.compile(
    r'^broker_iam_requests_total\{identity="default",operation="validate",outcome="ok"\} [1-9]', re.MULTILINE
)
_BIN = TOOLS.python.parent


@dataclass(frozen=True, slots=True)
class Standing:
    """A broker that holds a token of `owner`, over its socket and at `port` of loopback."""

    daemon: Daemon
    world: KeystoneWorld
    owner: Principal
    port: int
    own: Mapping[str, str] = field(default_factory=dict)

    @property
    def variables(self) -> dict[str, str]:
        """The environment of who calls it."""
        path = f"{_BIN}:{Path(BROKER[0]).parent}:{environment()['PATH']}"
        place = f"unix://{self.daemon.socket}"
        return environment({"PATH": path, "KAKAOCLOUD_BROKER_URL": place, **self.own})

    async def token(self) -> str:
        """The one that the broker holds."""
        return str((await self.daemon.client.token(wait=10)).body["token"])

    async def revoke(self) -> str:
        """Have Keystone revoke that one, and say which it was; not before the broker can tell a dead one by itself."""

        async def validated() -> bool:
            return bool(_VALIDATED.search(await self.daemon.client.text("/metrics")))

        await until(validated, NOTICED, "it has validated a token")
        token = await self.token()
        await self.world.revoke(token)
        assert await validate(self.world, token) in {401, 404}
        return token

    async def lives(self, token: str) -> bool:
        """Whether Keystone itself says so."""
        SPOKEN.guard(token, "a token")
        return await validate(self.world, token) == 200

    async def run(self, *words: str | Path, **own: str) -> Ended:
        """Run a command to its end."""
        async with Talk.with_(words, {**self.variables, **own}) as talk:
            return await talk.end()

    async def exec(self, *words: str | Path, options: Sequence[str] = (), **own: str) -> Ended:
        """The same by `broker exec`."""
        return await self.run(*BROKER, "exec", *options, "--", *words, **own)

    @asynccontextmanager
    async def outliving(self, *words: str | Path, options: Sequence[str] = ()) -> AsyncIterator["Talk"]:
        """A program by `broker exec` that asks a service, and asks again once its token was revoked; `Talk` hears the rest."""
        async with Talk.with_((*BROKER, "exec", *options, "--", *words), self.variables) as talk:
            before = await talk.heard()
            assert before["status"] == 200
            assert self.owner.project_id in before["projects"]
            assert before["token"] == await self.revoke()
            await talk.go_on()
            after = await talk.heard()
            assert after["status"] == 200
            assert self.owner.project_id in after["projects"]
            assert after["token"] == await self.token() != before["token"]
            assert await self.lives(after["token"])
            yield talk


class Talk:
    """A process that is talked with line by line."""

    def __init__(self, child: asyncio.subprocess.Process) -> None:
        self._child = child

    @classmethod
    @asynccontextmanager
    async def with_(cls, words: Sequence[str | Path], own: Mapping[str, str]) -> AsyncIterator[Self]:
        pipe = asyncio.subprocess.PIPE
        child = await asyncio.create_subprocess_exec(*words, env=own, stdin=pipe, stdout=pipe, stderr=pipe)
        try:
            yield cls(child)
        finally:
            if child.returncode is None:
                child.kill()
                await child.communicate()

    async def heard(self) -> dict[str, Any]:
        """The next line that it says, which is JSON."""
        assert self._child.stdout
        line = await asyncio.wait_for(self._child.stdout.readline(), SECONDS)
        if not line:
            ended = await self.end()
            raise AssertionError(f"it ended: {ended.err}")
        said = json.loads(line)
        assert isinstance(said, dict)
        SPOKEN.guard(said["token"], "a token")
        return said

    async def go_on(self) -> None:
        """Have it go on."""
        assert self._child.stdin
        self._child.stdin.write(b"go on\n")
        await self._child.stdin.drain()

    async def end(self) -> Ended:
        """Tell it that there is no more, and wait for its end."""
        assert self._child.stdin
        self._child.stdin.close()
        out, err = await asyncio.wait_for(self._child.communicate(), SECONDS)
        assert self._child.returncode is not None
        SPOKEN.said("stderr of a client", err.decode())
        return Ended(self._child.returncode, out.decode(), err.decode(), 0.0)


@asynccontextmanager
async def standing(
    folder: Path,
    world: KeystoneWorld,
    *roles: str,
    identity: Mapping[str, object] | None = None,
    grants: Sequence[Table] = (),
) -> AsyncIterator[Standing]:
    """A broker with one identity of a new user, once it has its token."""
    owner = await world.add_user(*roles)
    key = keys.directory(folder / "key", await world.add_key(owner))
    identities: dict[str, Table] = {"default": {"keys": [key], **(identity or {})}}
    port = free_port()
    listen = [{"tcp": f"127.0.0.1:{port}"}]
    iam = {"url": world.url}
    async with Daemon(folder / "b", iam=iam, identities=identities, listen=listen, grants=grants) as daemon:
        stands = Standing(daemon, world, owner, port)
        await stands.token()
        yield stands
