"""The whole broker in-process: all identities, their troubles apart, and nothing left at the end."""

import asyncio
import os
from pathlib import Path

import pytest

from broker.app import running
from broker.clock import BootClock
from broker.core.errors import ConfigError
from broker.fakeiam.server import FakeIam
from broker.identity.sources import Sources
from tests.app.whole import get, key_folder, settings, until, whole


async def test_several_identities_each_have_their_own_token(tmp_path: Path):
    iam = FakeIam()
    other = iam.realm.add_key(iam.realm.add_user("reader", name="second").id)
    async with iam.serve() as url:
        identities = {
            "default": {"keys": [str(key_folder(tmp_path / "a", iam.key.id, iam.key.secret))]},
            "second": {"keys": [str(key_folder(tmp_path / "b", other.id, other.secret))]},
        }
        tree = settings(tmp_path, identities, iam={"url": url})
        async with running(tree, Sources({}), BootClock()):
            told = [await get(tmp_path / "s", f"/v1/identities/{name}/token") for name in identities]
            assert [status for status, _ in told] == [200, 200]
            assert [body["roles"] for _, body in told] == [["member"], ["reader"]]
            assert len({body["token"] for _, body in told}) == 2
            assert (await get(tmp_path / "s", "/readyz"))[0] == 200
            assert iam.counters.issued == 2


async def test_a_secret_that_is_a_common_word_brings_tokens_too(tmp_path: Path):
    """People may choose one; each answer of IAM holds the word, and is no echo of it."""
    async with whole(tmp_path, FakeIam(key_secret="member")):
        status, body = await get(tmp_path / "s", "/v1/token")
        assert (status, body["roles"]) == (200, ["member"])


@pytest.mark.parametrize("trouble", ["refused", "hang", "half", "429:retry-after=300"])
async def test_l12_one_identitys_trouble_does_not_delay_another(tmp_path: Path, trouble: str):
    """An IAM that refuses connections, hangs, breaks off or throttles is its own identity's trouble."""
    good, bad = FakeIam(), FakeIam()
    async with good.serve() as url, bad.serve() as troubled:
        bad_url = "http://127.0.0.1:1/identity/v3" if trouble == "refused" else troubled
        if trouble != "refused":
            bad.faults.add(trouble)
        identities: dict[str, dict[str, object]] = {
            "bad": {
                "keys": [str(key_folder(tmp_path / "a", bad.key.id, bad.key.secret))],
                "iam_url": bad_url,
            },
            "good": {"keys": [str(key_folder(tmp_path / "b", good.key.id, good.key.secret))]},
        }
        tree = settings(tmp_path, identities, iam={"url": url})
        async with running(tree, Sources({}), BootClock()):
            waiting = asyncio.create_task(
                get(tmp_path / "s", "/v1/identities/bad/token", "Prefer: wait=30")
                if trouble == "hang"
                else get(tmp_path / "s", "/v1/identities/bad/token")
            )
            async with asyncio.timeout(1):
                status, body = await get(tmp_path / "s", "/v1/identities/good/token")
            assert (status, body["identity"]) == (200, "good")
            status, body = await get(tmp_path / "s", "/readyz")
            assert (status, body["identities"]["good"]["ready"], body["identities"]["bad"]["ready"]) == (
                503,
                True,
                False,
            )
            if trouble == "hang":
                bad.faults.clear()
                assert (await waiting)[0] == 200
            else:
                assert (await waiting)[0] == 503


async def test_a_fault_passes_by_itself_and_a_caller_that_waits_gets_its_token(tmp_path: Path):
    """The real clock and the real pause of a first fault."""
    iam = FakeIam()
    iam.faults.add("503:times=1")
    async with whole(tmp_path, iam):
        status, body = await get(tmp_path / "s", "/v1/token", "Prefer: wait=20")
        assert (status, body["stale"], iam.counters.issue_requests) == (200, False, 2)


async def test_a_short_token_is_kept_alive_by_the_tick_alone(tmp_path: Path):
    async with whole(tmp_path, iam := FakeIam(life=4)):
        await until(lambda: iam.counters.issued >= 2)
        # IAM has counted it; it is served a moment later.
        assert (await get(tmp_path / "s", "/v1/token"))[0] == 200


async def test_the_problems_of_all_keys_are_told_at_once_and_nothing_is_opened(tmp_path: Path):
    key_folder(tmp_path / "good", "id", "secret")
    (key_folder(tmp_path / "half", "id", "secret") / "secret").unlink()
    identities = {name: {"keys": [str(tmp_path / name)]} for name in ("gone", "good", "half")}
    with pytest.raises(ConfigError) as caught:
        async with running(settings(tmp_path, identities), Sources({}), BootClock()):
            pass
    assert [problem.where for problem in caught.value.problems] == [
        f"{tmp_path}/gone",
        f"{tmp_path}/half/secret",
    ]
    assert not _is_there(tmp_path / "s")


async def test_a_second_socket_that_fails_takes_the_first_one_down(tmp_path: Path):
    key_folder(tmp_path / "keys", "id", "secret")
    (tmp_path / "taken").write_text("precious")
    listen = [{"unix": str(tmp_path / "s")}, {"unix": str(tmp_path / "taken")}]
    tree = settings(tmp_path, {"default": {"keys": [str(tmp_path / "keys")]}}, listen=listen)
    with pytest.raises(ConfigError, match="is no socket"):
        async with running(tree, Sources({}), BootClock()):
            pass
    assert sorted(os.listdir(tmp_path)) == ["keys", "taken"]  # noqa: PTH208  (a look, in one line)


@pytest.mark.parametrize("fault", [None, "hang"])
async def test_at_the_end_nothing_is_left_running_or_lying_about(tmp_path: Path, fault: str | None):
    """With a token, with a request in flight, and with a caller still waiting."""
    tasks, descriptors = asyncio.all_tasks(), _descriptors()
    iam = FakeIam()
    if fault:
        iam.faults.add(fault)
    async with whole(tmp_path, iam):
        if fault:
            caller = asyncio.create_task(_hung_up_on(tmp_path / "s"))
            await until(lambda: iam.counters.issue_requests)
        else:
            caller = asyncio.create_task(_served(tmp_path / "s"))
            await caller
    await caller
    assert not _is_there(tmp_path / "s")
    await until(lambda: asyncio.all_tasks() == tasks)
    await until(lambda: _descriptors() == descriptors)


async def test_l3_a_flight_ends_with_the_broker_whatever_iam_does(tmp_path: Path):
    """Ended as what it is, an end: no task of a keeper is there any more, and no fault is told of it."""
    iam = FakeIam()
    iam.faults.add("hang")
    async with iam.serve() as url:
        keys = key_folder(tmp_path / "keys", iam.key.id, iam.key.secret)
        tree = settings(tmp_path, {"default": {"keys": [str(keys)]}}, iam={"url": url})
        async with running(tree, Sources({}), BootClock()) as broker:
            await until(lambda: iam.counters.issue_requests)
            assert len(_flights()) == 1
        assert _flights() == []
        assert broker.desk.keyring["default"].lease.trouble is None


def _flights() -> list[str]:
    coroutines = [str(task.get_coro()) for task in asyncio.all_tasks()]
    return [shown for shown in coroutines if "Keeper." in shown]


async def _served(path: Path) -> None:
    assert (await get(path, "/v1/token", "Prefer: wait=30"))[0] == 200


async def _hung_up_on(path: Path) -> None:
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(b"GET /v1/token HTTP/1.1\r\nHost: x\r\nPrefer: wait=30\r\n\r\n")
    await reader.read()
    writer.close()


def _is_there(path: Path) -> bool:
    return os.path.lexists(path)


def _descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208  (as above)
