"""Other users on the socket and on loopback TCP: refused, logged once and counted; served once they are granted.

- The callers are curl processes of that user; the kernel proves them, and nothing here pretends.
- What does not exist and what is not granted are answered alike, to the byte.
"""

import asyncio
import grp
import os
import pwd
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from broker.callers.container import in_container
from tests.callers.folders import open_folder
from tests.contracts.fake_world import FakeWorld
from tests.e2e import keys
from tests.e2e.asking import METADATA, Reply, curl, needs_curl, needs_root
from tests.e2e.command import BROKER, broker, reachable_broker
from tests.e2e.conftest import Figures
from tests.e2e.daemon import Daemon, Table, free_port

pytestmark = [pytest.mark.e2e, needs_root, needs_curl]

# Users that no system has, so that nothing of this host is theirs.
STRANGER, GRANTED, MEMBER, OWNER = 54321, 54322, 54323, 54324
DENIED = (403, "access_denied")
# A user and a group that every system has, and whom the overflow number does not mean.
NAMED = next(user for user in pwd.getpwall() if 0 < user.pw_uid < 1000)
GROUP = next(group for group in grp.getgrall() if 0 < group.gr_gid < 1000 and group.gr_gid != NAMED.pw_gid)


@asynccontextmanager
async def _daemon(
    grants: Sequence[Table] = (),
    listen: Sequence[Table] = ({"tcp": "127.0.0.1:0"},),
    owner: int | None = None,
) -> AsyncIterator[Daemon]:
    """A broker of two identities, `default` and `other`, that everybody can reach; `owner` is its user, if not ours."""
    with open_folder() as folder:
        async with FakeWorld.serving() as world:
            identities = {
                name: {"keys": [keys.directory(folder / name, await world.add_key(await world.add_user()))]}
                for name in ("default", "other")
            }
            command, own = (BROKER, None) if owner is None else reachable_broker()
            become = (
                [] if owner is None else ["setpriv", f"--reuid={owner}", f"--regid={owner}", "--clear-groups"]
            )
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
            for path in [] if owner is None else [folder, *folder.rglob("*")]:
                os.chown(path, int(owner or 0), -1)
            async with daemon:
                yield daemon


async def _ask(
    daemon: Daemon, path: str, user: int, groups: Sequence[int] = (), *, method: str = "GET", at: int = 0
) -> tuple[Reply, Reply]:
    """The same question by the socket and by TCP."""
    wait = {"Prefer": "wait=10"}
    return await asyncio.gather(
        curl(f"http://broker{path}", wait, method, socket=daemon.socket, user=user, groups=groups),
        curl(f"http://{daemon.tcp[at]}{path}", METADATA | wait, method, user=user, groups=groups),
    )


def _judged(replies: Sequence[Reply]) -> list[tuple[int, str | None]]:
    return [(reply.status, reply.code) for reply in replies]


async def test_a_stranger_is_refused_logged_once_and_counted(figures: Figures) -> None:
    """Rule: with no grants the owner alone is served, by both ways; a stranger costs one line a listener."""
    async with _daemon() as daemon:
        owner = await _ask(daemon, "/v1/token", os.geteuid())
        assert _judged(owner) == [(200, None)] * 2
        for _ in range(3):
            assert _judged(await _ask(daemon, "/v1/token", STRANGER)) == [DENIED] * 2
        empty = await _ask(daemon, "/v1/identities", STRANGER)
        assert [reply.tree for reply in empty] == [{"identities": []}] * 2
        text = (await curl(f"http://{daemon.tcp[0]}/metrics", {}, user=STRANGER)).body.decode()
        told = daemon.events("refused")
        places = {str(daemon.socket), daemon.tcp[0]}
        fields = [(event["reason"], event["uid"], event["route"], event["level"]) for event in told]
        assert fields == [("access_denied", STRANGER, "/v1/token", "warning")] * 2
        assert {event["listener"] for event in told} == places
        assert 'broker_refused_total{reason="access_denied"} 6.0' in text
        detail = (await _ask(daemon, "/v1/token", STRANGER))[0].tree["detail"]
    figures(detail=detail, log_lines=len(told), counted=6)


async def test_whom_a_grant_names_is_served_and_nobody_else() -> None:
    """Rule: users by number and by name on both ways; a supplementary group on the socket only; the owner no more."""
    grants: list[Table] = [
        {"identity": "default", "users": [GRANTED, NAMED.pw_name]},
        {"identity": "default", "groups": [GROUP.gr_name]},
        {"identity": "other", "users": [str(OWNER)]},
    ]
    async with _daemon(grants) as daemon:
        granted, named, member, stranger, other, owner, seen = await asyncio.gather(
            _ask(daemon, "/v1/token", GRANTED),
            _ask(daemon, "/v1/identities/default/token", NAMED.pw_uid),
            _ask(daemon, "/v1/token", MEMBER, [GROUP.gr_gid]),
            _ask(daemon, "/v1/token", STRANGER),
            _ask(daemon, "/v1/token", OWNER),
            _ask(daemon, "/v1/token", os.geteuid()),
            _ask(daemon, "/v1/identities", os.geteuid()),
        )
        assert _judged(granted) == _judged(named) == _judged(other) == [(200, None)] * 2
        assert _judged(member) == [(200, None), DENIED]
        assert _judged(stranger) == _judged(owner) == [DENIED] * 2
        assert {reply.tree["identity"] for reply in (*granted, *named)} == {"default"}
        assert [reply.tree["identity"] for reply in other] == ["other"] * 2
        for reply in seen:
            assert [row["identity"] for row in reply.tree["identities"]] == ["default", "other"]
        told = await broker("status", socket=daemon.socket)
        refused = await broker("token", socket=daemon.socket)
        assert (told.code, refused.code) == (0, 77), (told.err, refused.err)
        assert "default" in told.out
        assert len(refused.sentences) == 1


async def test_what_does_not_exist_and_what_is_not_granted_are_answered_alike() -> None:
    """Rule: status, headers but Date, and body; to who may read nothing and to who may read another identity."""
    async with _daemon([{"identity": "default", "users": [GRANTED]}]) as daemon:
        for path, method in (
            ("", "GET"),
            ("/token", "GET"),
            ("/token", "HEAD"),
            ("/catalog", "GET"),
            ("/projects", "GET"),
        ):
            for user in (STRANGER, GRANTED):
                hidden, absent = await asyncio.gather(
                    _ask(daemon, f"/v1/identities/other{path}", user, method=method),
                    _ask(daemon, f"/v1/identities/nowhere{path}", user, method=method),
                )
                assert [reply.status for reply in hidden] == [403, 403], (path, user)
                assert [reply.but_date for reply in hidden] == [reply.but_date for reply in absent], (
                    path,
                    user,
                )
        # Refused for its form, before anybody looks whether there is such an identity.
        malformed = await _ask(daemon, "/v1/identities/%2e%2e%2Fx/token", GRANTED)
        assert _judged(malformed) == [(400, "bad_request")] * 2


async def test_listeners_that_are_open_to_all_or_limited() -> None:
    """Rule: `any` holds on the listener it names and nowhere else; a limited one gives no other identity to anybody."""
    ports = free_port(), free_port()
    listen: list[Table] = [
        {"tcp": f"127.0.0.1:{ports[0]}"},
        {"tcp": f"127.0.0.1:{ports[1]}", "identities": ["other"]},
    ]
    grants: list[Table] = [
        {"identity": "default", "any": True, "listeners": [f"127.0.0.1:{ports[0]}"]},
        {"identity": "default", "users": [GRANTED]},
        {"identity": "other", "users": [GRANTED]},
    ]
    async with _daemon(grants, listen) as daemon:
        assert _judged(await _ask(daemon, "/v1/token", STRANGER)) == [DENIED, (200, None)]
        assert _judged(await _ask(daemon, "/v1/identities/other/token", STRANGER)) == [DENIED] * 2
        assert _judged(await _ask(daemon, "/v1/token", STRANGER, at=1)) == [DENIED] * 2
        default, other, own, seen = await asyncio.gather(
            _ask(daemon, "/v1/identities/default/token", GRANTED, at=1),
            _ask(daemon, "/v1/identities/other/token", GRANTED, at=1),
            _ask(daemon, "/v1/token", GRANTED, at=1),
            _ask(daemon, "/v1/identities", os.geteuid(), at=1),
        )
        assert _judged(default) == [(200, None), DENIED]
        assert _judged(other) == [(200, None)] * 2
        assert [reply.tree["identity"] for reply in own] == ["default", "other"]
        assert [row["identity"] for row in seen[1].tree["identities"]] == ["other"]


@pytest.mark.parametrize("granted", [False, True])
async def test_the_brokers_own_user_and_root(granted: bool, figures: Figures) -> None:
    """Rule: without grants its own user reads; with them it only sees. Root is the owner only on the socket of a host."""
    grants: list[Table] = [{"identity": "default", "users": [GRANTED]}] if granted else []
    async with _daemon(grants, owner=OWNER) as daemon:
        reads, sees, root_reads, root_sees, stranger = await asyncio.gather(
            _ask(daemon, "/v1/token", OWNER),
            _ask(daemon, "/v1/identities/default", OWNER),
            _ask(daemon, "/v1/token", 0),
            _ask(daemon, "/v1/identities/default", 0),
            _ask(daemon, "/v1/identities/default", STRANGER),
        )
        assert _judged(reads) == ([DENIED] * 2 if granted else [(200, None)] * 2)
        assert _judged(sees) == [(200, None)] * 2
        hosts = DENIED if in_container() else (200, None)
        assert _judged(root_reads) == [DENIED if granted else hosts, DENIED]
        assert _judged(root_sees) == [hosts, DENIED]
        assert _judged(stranger) == [DENIED] * 2
    figures(in_container=in_container())
