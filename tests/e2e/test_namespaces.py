"""A client in another network namespace: it gets health where that is open to it, and is nobody where tokens are.

- The broker, its IAM and a root-owned listener live in a namespace of the test's own, the client in a second one, with a
  veth pair between them. Both end with the process that holds them, so nothing of this host's network is touched.
- The client takes the number of the listener's port for its own: a look-up without an exact match would find root there.
- A host may route 127.0.0.1 to its neighbours (`route_localnet`, as some cluster networks do): that is played, too.
"""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from tests.callers.test_tcp_namespaces import can_unshare
from tests.contracts.world import Key
from tests.e2e import keys
from tests.e2e.asking import METADATA, curl, needs_curl, needs_root
from tests.e2e.command import BROKER, ROOT, environment
from tests.e2e.conftest import Figures
from tests.e2e.daemon import Daemon, Table

pytestmark = [
    pytest.mark.e2e,
    needs_root,
    needs_curl,
    pytest.mark.skipif(
        not (shutil.which("ip") and shutil.which("nsenter")),
        reason="needs iproute2 and nsenter to connect two network namespaces",
    ),
]

TAKEN = range(
    40_000, 40_012
)  # root listens there; one for each question, since a port rests after a connection
STRANGER = 54321
PAIR = """
ip link set lo up
ip link add outer type veth peer name inner netns {client}
ip address add 10.99.0.1/30 dev outer
ip link set outer up
nsenter --target {client} --net sh -euc 'ip address add 10.99.0.2/30 dev inner; ip link set inner up'
"""
LOCALNET = """
echo 1 > /proc/sys/net/ipv4/conf/all/route_localnet
nsenter --target {client} --net sh -euc '
    echo 1 > /proc/sys/net/ipv4/conf/all/route_localnet; ip route add 127.0.0.0/8 via 10.99.0.1 dev inner'
"""


@asynccontextmanager
async def _process(*command: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A process that has said its first line, and ends with the context."""
    pipe = asyncio.subprocess.PIPE
    child = await asyncio.create_subprocess_exec(
        *command, stdin=pipe, stdout=pipe, stderr=asyncio.subprocess.DEVNULL, cwd=ROOT, env=environment()
    )
    try:
        yield child
    finally:
        if child.returncode is None:
            child.kill()
        await child.communicate()


@asynccontextmanager
async def _namespace() -> AsyncIterator[str]:
    """A network namespace, by the pid that holds it."""
    async with _process("unshare", "--net", "sh", "-c", "echo here; exec cat") as holder:
        assert holder.stdout
        await asyncio.wait_for(holder.stdout.readline(), 10)
        yield str(holder.pid)


async def _in(namespace: str, script: str) -> None:
    words = ("nsenter", "--target", namespace, "--net", "sh", "-euc", script)
    child = await asyncio.create_subprocess_exec(*words, stderr=asyncio.subprocess.PIPE)
    _, err = await asyncio.wait_for(child.communicate(), 10)
    assert child.returncode == 0, err.decode()


async def _said(process: asyncio.subprocess.Process) -> str:
    assert process.stdout
    return (await asyncio.wait_for(process.stdout.readline(), 20)).decode().strip()


async def test_a_client_of_another_network_is_nobody(tmp_path: Path, figures: Figures) -> None:
    """Rule: health and metrics beyond loopback, tokens never; loopback closed, or open and the caller unknown."""
    if not can_unshare("--net"):
        pytest.skip("this host forbids new network namespaces")
    async with AsyncExitStack() as stack:
        ours, theirs = [await stack.enter_async_context(_namespace()) for _ in range(2)]
        inside, outside = (("nsenter", f"--target={pid}", "--net") for pid in (ours, theirs))
        await _in(ours, PAIR.format(client=theirs))
        iam = await stack.enter_async_context(_process(*inside, *BROKER, "fake-iam", "--port", "9770"))
        words = [(await _said(iam)).partition("=")[2] for _ in range(3)]
        squat = f"""import socket; all = [socket.create_server(("", port)) for port in {TAKEN}]; print(1, flush=True); input()"""
        await _said(await stack.enter_async_context(_process(*inside, BROKER[0], "-c", squat)))
        identity = {"keys": [keys.directory(tmp_path / "key", Key(words[0], "", "", words[1]))]}
        listen: list[Table] = [
            {"tcp": "127.0.0.1:9780"},
            {"tcp": "10.99.0.1:9781", "serve": ["health", "metrics"]},
        ]
        daemon = await stack.enter_async_context(
            Daemon(
                tmp_path / "b",
                iam={"url": words[2]},
                identities={"default": identity},
                listen=listen,
                prefix=inside,
            )
        )
        assert (await daemon.client.token(wait=10)).status == 200
        ports = iter(TAKEN)
        ways = {
            "own namespace": (inside, "127.0.0.1:9780/v1/token", 0),
            "health": (outside, "10.99.0.1:9781/readyz/default", STRANGER),
            "metrics": (outside, "10.99.0.1:9781/metrics", STRANGER),
            "tokens": (outside, "10.99.0.1:9781/v1/token", 0),
            "identities": (outside, "10.99.0.1:9781/v1/identities", 0),
        }

        async def ask(way: tuple[str, ...], where: str, user: int) -> tuple[int, str | None]:
            port = ("--local-port", str(next(ports))) if way is outside else ()
            reply = await curl(f"http://{where}", METADATA, prefix=(*way, *_become(user)), more=port)
            return reply.status, reply.code

        seen = {name: await ask(*way) for name, way in ways.items()}
        assert seen == {
            "own namespace": (200, None),
            "health": (200, None),
            "metrics": (200, None),
            "tokens": (404, "not_found"),
            "identities": (404, "not_found"),
        }
        for closed in ("10.99.0.1:9780/v1/token", "127.0.0.1:9780/v1/token"):
            with pytest.raises(ConnectionError):
                await ask(outside, closed, 0)
        await _in(ours, LOCALNET.format(client=theirs))
        for user in (0, STRANGER):
            assert await ask(outside, "127.0.0.1:9780/v1/token", user) == (403, "caller_unknown")
        told = [event for event in daemon.events("refused") if event["level"] == "warning"]
        assert [(event["reason"], event["uid"]) for event in told] == [("caller_unknown", None)]
        figures(**{f"from {name}": answer for name, answer in seen.items()}, over_route_localnet=told[0])


def _become(user: int) -> tuple[str, ...]:
    """What runs a command as another user, once it is in the namespace."""
    return ("setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups") if user else ()
