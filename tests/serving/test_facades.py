"""Where callers find the Keystone facade, and the plain word where they would only be turned away there."""

from pathlib import Path

from broker.core.access import Grant, Owner, Policy, Workload
from tests.serving.house import SOCKET, Answer, house

FACADE = "127.0.0.1:9780"
BESIDE = "[::1]:9781"
ME = Workload(uid=1234, gid=99, pid=None, listener=SOCKET)


def granted(*grants: Grant) -> Policy:
    """BESIDE is for the identity shop alone."""
    return Policy(Owner(1, in_container=False), grants, {BESIDE: frozenset({"shop"})})


BY_USER = (Grant("default", users=frozenset({1234})), Grant("shop", users=frozenset({1234})))


async def asked(folder: Path, policy: Policy, target: str, *facades: str) -> Answer:
    async with house(folder, "default", "shop", policy=policy, prove=lambda _: ME, facades=facades) as broker:
        return await broker.get(target)


async def test_it_is_told_at_every_listener_that_is_open_to_this_user(tmp_path: Path):
    answer = await asked(tmp_path, granted(*BY_USER), "/v1/facade", FACADE, BESIDE)
    assert (answer.status, answer.tree["identity"]) == (200, "default")
    assert answer.tree["urls"] == ["http://127.0.0.1:9780/identity/v3"]
    answer = await asked(tmp_path, granted(*BY_USER), "/v1/identities/shop/facade", FACADE, BESIDE)
    assert answer.tree["urls"] == ["http://127.0.0.1:9780/identity/v3", "http://[::1]:9781/identity/v3"]
    assert answer.headers["Cache-Control"] == "no-store"


async def test_the_only_identity_is_the_usual_one(tmp_path: Path):
    answer = await asked(tmp_path, granted(BY_USER[1]), "/v1/facade", FACADE)
    assert answer.tree["identity"] == "shop"


async def test_who_is_known_by_the_group_alone_is_told_why_it_will_not_do(tmp_path: Path):
    by_group = granted(Grant("default", groups=frozenset({99})))
    answer = await asked(tmp_path, by_group, "/v1/facade", FACADE)
    assert (answer.status, answer.tree["code"]) == (403, "access_denied")
    assert "over TCP only" in answer.tree["detail"]


async def test_without_a_listener_for_it_the_remedy_is_told(tmp_path: Path):
    answer = await asked(tmp_path, granted(*BY_USER), "/v1/facade")
    assert (answer.status, answer.tree["code"]) == (404, "not_found")
    assert "[[listen]]" in answer.tree["detail"]


async def test_who_may_not_read_learns_nothing(tmp_path: Path):
    answers = [
        await asked(tmp_path, granted(BY_USER[1]), f"/v1/identities/{name}/facade", FACADE)
        for name in ("default", "nobody")
    ]
    assert {answer.status for answer in answers} == {403}
    assert answers[0].body == answers[1].body
