"""Who is calling, proven once for each connection, and what the real policy gives to whom."""

import os
from pathlib import Path

import pytest

from broker.core.access import Grant, Owner, Policy, Workload
from broker.core.errors import Fault
from broker.keeper.setting import Validation
from tests.serving.house import SOCKET, House, house, kernel, tcp_door, until

GRANTED, STRANGER, OWNER = 1001, 1002, 500
TOKEN_ROUTES = (
    "/v1/token",
    "/v1/identities",
    "/v1/identities/default",
    "/v1/identities/default/token",
    "/v1/identities/default/keystone",
    "/v1/identities/default/catalog",
    "/v1/identities/default/projects",
)


class Register:
    """A proof that a test holds: each connection is by whoever is named now; None is nobody."""

    def __init__(self, uid: int | None, listener: str = SOCKET) -> None:
        self.uid = uid
        self.proven = 0
        self._listener = listener

    def __call__(self, connection: object) -> Workload | None:
        assert connection is not None
        self.proven += 1
        if self.uid is None:
            return None
        return Workload(uid=self.uid, gid=self.uid, pid=7, listener=self._listener)


async def status(broker: House, *targets: str) -> list[int]:
    return [(await broker.get(target)).status for target in targets]


async def test_the_caller_is_proven_once_for_a_connection_however_much_it_asks(tmp_path: Path):
    register = Register(GRANTED)
    async with house(tmp_path, "default", prove=register) as broker:
        await broker.issued()
        assert await status(broker, *["/v1/token"] * 5) == [200] * 5
        register.uid = None  # what is told of later connections changes nothing on this one
        assert await status(broker, "/v1/token") == [200]
        assert register.proven == 1
        async with tcp_door(broker, "127.0.0.1", (), register) as door:
            assert (await door.ask("/v1/token")).status == 403
        assert register.proven == 2


async def test_who_is_not_proven_gets_nothing_but_health(tmp_path: Path):
    async with house(tmp_path, "default", prove=Register(None)) as broker:
        await broker.issued()
        for target in TOKEN_ROUTES:
            answer = await broker.get(target)
            assert (answer.status, answer.tree["code"]) == (403, "caller_unknown")
        assert await status(broker, "/livez", "/readyz", "/readyz/default", "/metrics") == [200] * 4
        assert {(reason, uid) for reason, uid, *_ in broker.books.told} == {("caller_unknown", None)}


@pytest.mark.parametrize(
    ("uid", "read", "view"), [(GRANTED, 200, 200), (STRANGER, 403, 403), (OWNER, 403, 200)]
)
async def test_a_grant_lets_read_and_the_owner_keeps_the_view(tmp_path: Path, uid: int, read: int, view: int):
    policy = Policy(Owner(OWNER, in_container=False), (Grant("default", users=frozenset({GRANTED})),))
    async with house(tmp_path, "default", "other", policy=policy, prove=Register(uid)) as broker:
        await broker.issued()
        rest = ("/token", "/keystone", "/catalog", "/projects")
        assert await status(broker, *[f"/v1/identities/default{end}" for end in rest]) == [read] * 4
        assert await status(broker, "/v1/token", "/v1/identities/default") == [read, view]
        seen = (await broker.get("/v1/identities")).tree["identities"]
        names = {GRANTED: ["default"], STRANGER: [], OWNER: ["default", "other"]}[uid]
        assert [row["identity"] for row in seen] == names


@pytest.mark.parametrize("rest", ["", "/token", "/keystone", "/catalog", "/projects"])
async def test_another_identity_and_an_unknown_one_answer_alike(tmp_path: Path, rest: str):
    """Byte for byte, headers too, or names could be probed; whatever state the other one is in."""
    policy = Policy(Owner(OWNER, in_container=False), (Grant("default", users=frozenset({GRANTED})),))
    async with house(tmp_path, "default", "other", policy=policy, prove=Register(GRANTED)) as broker:
        await broker.issued("default")
        answers = [await broker.get(f"/v1/identities/{name}{rest}") for name in ("other", "unknown")]
        broker.keyring["other"].observe()
        await until(lambda: broker.issuers["other"].calls)
        broker.issuers["other"].fail(Fault.REJECTED)
        await until(lambda: broker.keyring["other"].lease.trouble)
        answers.append(await broker.get(f"/v1/identities/other{rest}"))
        assert {answer.status for answer in answers} == {403}
        assert len({answer.body for answer in answers}) == 1
        assert len({tuple(h for h in answer.headers.items() if h[0] != "Date") for answer in answers}) == 1


@pytest.mark.parametrize(("uid", "expected"), [(GRANTED, 200), (STRANGER, 403), (OWNER, 403), (None, 403)])
async def test_who_may_read_may_report_and_nobody_else_at_no_cost(
    tmp_path: Path, uid: int | None, expected: int
):
    policy = Policy(Owner(OWNER, in_container=False), (Grant("default", users=frozenset({GRANTED})),))
    async with house(
        tmp_path, "default", policy=policy, prove=Register(uid), validation=Validation()
    ) as broker:
        await broker.issued()
        before = broker.keyring["default"].lease
        assert (await broker.reject("token-of-default")).status == expected
        assert broker.issuers["default"].validated == (["token-of-default"] if expected == 200 else [])
        assert (broker.keyring["default"].lease is before) is (expected == 403)


@pytest.mark.parametrize("uid", [GRANTED, STRANGER, None])
@pytest.mark.parametrize("rest", ["", "/token", "/keystone", "/catalog", "/projects"])
async def test_what_is_denied_asks_nothing_of_iam(tmp_path: Path, uid: int | None, rest: str):
    async with house(
        tmp_path, "default", policy=Policy(Owner(OWNER, in_container=False)), prove=Register(uid)
    ) as broker:
        assert await status(broker, f"/v1/identities/default{rest}?min_ttl=60", "/v1/token") == [403, 403]
        assert (broker.issuers["default"].asked, broker.issuers["default"].listed) == (0, 0)


async def test_a_listener_that_is_limited_shows_its_identities_only_even_to_the_owner(tmp_path: Path):
    policy = Policy(
        Owner(OWNER, in_container=False),
        (Grant("web", users=frozenset({OWNER})), Grant("build", users=frozenset({OWNER}))),
        {SOCKET: frozenset({"web"})},
    )
    async with house(tmp_path, "build", "web", policy=policy, prove=Register(OWNER)) as broker:
        for name in ("build", "web"):
            await broker.issued(name)
        assert (await broker.get("/v1/token")).tree["identity"] == "web"
        targets = ("/v1/identities/build", "/v1/identities/build/token", "/v1/identities/unknown")
        assert await status(broker, *targets) == [403] * 3
        rows = (await broker.get("/v1/identities")).tree["identities"]
        assert [row["identity"] for row in rows] == ["web"]
        register = Register(OWNER, "127.0.0.1:1")
        async with tcp_door(broker, "127.0.0.1", (), register) as door:
            answer = await door.ask("/v1/token")
            assert (answer.status, answer.tree["code"]) == (400, "identity_required")


async def test_a_grant_to_anyone_holds_on_the_listener_that_it_names_only(tmp_path: Path):
    policy = Policy(
        Owner(OWNER, in_container=False),
        (Grant("default", anyone=True, listeners=frozenset({SOCKET})),),
    )
    async with house(tmp_path, "default", policy=policy, prove=Register(STRANGER)) as broker:
        await broker.issued()
        assert (await broker.get("/v1/token")).status == 200
        async with tcp_door(broker, "127.0.0.1", (), Register(STRANGER, "127.0.0.1:1")) as door:
            assert (await door.ask("/v1/token")).status == 403


async def test_with_no_grants_we_are_the_owner_by_the_kernels_word(tmp_path: Path):
    policy = Policy(Owner(os.getuid(), in_container=False))
    async with house(tmp_path, "default", policy=policy, prove=kernel) as broker:
        await broker.issued()
        assert await status(broker, *TOKEN_ROUTES) == [200] * len(TOKEN_ROUTES)
