"""What one start kept the next one finds, and whatever else lies there is ignored with a word (L13)."""

import asyncio
import os
import stat
from dataclasses import replace

import pytest

from broker.core.errors import StoreError
from broker.core.memory import Memory
from broker.core.model import KeyById
from broker.core.secret import Secret
from broker.store import sealed as sealed_module
from broker.store.folder import Folder
from broker.store.lane import DEADLINE
from tests.core.builders import reply
from tests.fakes.clock import settle
from tests.store.kept import (
    FIRST,
    KEYS,
    MEMORY,
    SECOND,
    STRANGER,
    TOKEN,
    URL,
    WHOLE,
    Hanging,
    blocked,
    scant,
    small,
)


async def test_the_next_start_finds_all_of_it_with_either_key(house):
    await house.saves()
    house.clock.at += 3600
    for keys in ((FIRST,), (SECOND,), (SECOND, STRANGER), KEYS):
        assert await house.finds(*keys) == (MEMORY, [])
    assert stat.S_IMODE(house.sealed.stat().st_mode) == 0o600


async def test_a_first_start_finds_nothing_and_says_nothing(house):
    assert await house.finds() == (None, [])


async def test_the_file_gives_nothing_away(house):
    await house.saves()
    kept = house.sealed.read_bytes()
    for text in (
        TOKEN,
        FIRST.secret.reveal(),
        SECOND.secret.reveal(),
        "key-1",
        "user-of-key-1",
        URL,
        MEMORY.rejected[0],
    ):
        assert text.encode() not in kept


async def test_it_is_ignored_by_who_cannot_open_it(house):
    await house.saves()
    assert "no access key" in await house.finds_nothing(STRANGER)
    assert "no access key" in await house.finds_nothing(url="https://iam.other/identity/v3")
    house.sealed.rename(house.folder.path / "other.sealed")
    assert "no access key" in await house.finds_nothing(identity="other")


async def test_it_is_ignored_where_it_was_damaged(house):
    await house.saves()
    whole = house.sealed.read_bytes()
    for damaged in (
        b"",
        whole[:100],
        whole[:-1],
        whole + b"x",
        os.urandom(1000),
        b"x" * sealed_module.LARGEST * 2,
    ):
        house.sealed.write_bytes(damaged)
        await house.finds_nothing()
    house.sealed.chmod(0o644)
    assert await house.finds_nothing() == "its mode lets other users at it"


async def test_after_a_reboot_the_wall_clock_says_what_is_left(house):
    await house.saves()
    house.reboots(after=600)
    memory, told = await house.finds()
    assert told == []
    assert memory.reply.sent_at == pytest.approx(5.0 - 600 - 9.75)
    assert replace(memory, reply=MEMORY.reply) == MEMORY


async def test_after_a_reboot_a_wall_clock_that_went_back_means_to_ignore_it(house):
    await house.saves()
    house.reboots(after=-1)
    assert "clocks" in await house.finds_nothing()


async def test_within_one_boot_the_wall_clock_means_nothing(house):
    await house.saves()
    house.set_wall(0.0)
    assert await house.finds() == (MEMORY, [])


async def test_of_a_token_that_has_ended_only_the_lessons_are_left(house):
    await house.saves()
    house.clock.at = 990.25 + 43200 - 1
    memory, [line] = await house.finds()
    assert memory == Memory(evidence=MEMORY.evidence, rejected=MEMORY.rejected)
    assert line == {
        "event": "cache_ignored",
        "log_level": "info",
        "identity": "shop",
        "file": "shop.sealed",
        "reason": "its token has ended, or is known to be dead",
    }


async def test_a_token_known_to_be_dead_does_not_come_back(house):
    await house.saves(replace(MEMORY, rejected=(WHOLE.digest,)))
    memory, told = await house.finds()
    assert memory.reply is None
    assert [line["event"] for line in told] == ["cache_ignored"]


async def test_where_nothing_can_be_written_saving_says_so(house):
    await house.saves()
    with (
        blocked(house.folder.path),
        pytest.raises(StoreError, match=r"cannot be written \(not a directory\); make"),
    ):
        await house.saves()


async def test_a_memory_that_cannot_be_written_takes_the_one_before_it_away(house, monkeypatch):
    """It may hold a token that has died since."""
    await house.saves()

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(StoreError, match="no space left on device"):
        await house.saves(Memory(rejected=(WHOLE.digest,)))
    assert await house.finds() == (None, [])


async def test_without_a_key_nothing_is_kept_and_what_is_outdated_is_removed(house):
    for knows in ("written", "read"):
        await house.saves()
        store = house.store()
        await (store.save(MEMORY, KEYS) if knows == "written" else store.load(KEYS))
        with pytest.raises(StoreError, match="there is no access key to seal it with; mend"):
            await store.save(Memory(), ())
        assert not house.sealed.exists()


async def test_a_start_whose_keys_are_not_there_yet_leaves_the_cache_to_the_next(house):
    await house.saves()
    store = house.store()
    assert await store.load(()) is None
    with pytest.raises(StoreError):
        await store.save(Memory(), ())
    assert await house.finds() == (MEMORY, [])


async def test_what_would_not_be_read_is_not_written(house, monkeypatch):
    monkeypatch.setattr(sealed_module, "LARGEST", 500)
    with pytest.raises(StoreError, match="more to keep than 500 bytes"):
        await house.saves()


async def test_the_largest_answer_of_iam_is_kept(house):
    token = replace(WHOLE, body=b"x" * 4 * 1024 * 1024)
    memory = Memory(reply=replace(reply(), token=token))
    await house.saves(memory)
    assert await house.finds() == (memory, [])


async def test_a_new_key_opens_what_is_sealed_anew(house):
    new = KeyById("key-2", Secret("new"))
    await house.saves()
    await house.saves(keys=(new,))
    assert await house.finds(new) == (MEMORY, [])
    assert "no access key" in await house.finds_nothing(*KEYS)


async def test_an_unusable_folder_costs_the_cache_alone(house):
    """The broker runs on, and each attempt to keep something says why it cannot be kept."""
    house.folder = Folder(house.folder.path, "/c: is in use by another broker; end that one")
    assert await house.finds() == (None, [])
    with pytest.raises(StoreError, match="in use"):
        await house.saves()


async def test_the_newest_memory_wins_even_where_all_came_too_late(house):
    house.folder = folder = Hanging(house.folder)
    store = house.store()
    saving = [asyncio.create_task(store.save(small("token-1"), KEYS))]
    await folder.hangs()
    saving += [asyncio.create_task(store.save(small(f"token-{number}"), KEYS)) for number in range(2, 30)]
    await settle()
    await house.clock.advance(DEADLINE)
    told = await asyncio.gather(*saving, return_exceptions=True)
    assert all("did not answer within 2 s" in str(error) for error in told)
    folder.free.set()
    await folder.has_written(8)
    assert (await house.finds())[0] == small("token-29")


async def test_a_disk_that_hangs_does_not_hold_up_a_start(house):
    await house.saves()
    house.folder = folder = Hanging(house.folder)
    store = house.store()
    loading, left = asyncio.create_task(house.finds_nothing()), asyncio.create_task(store.budgets())
    await folder.hangs()
    await settle()
    await house.clock.advance(DEADLINE)
    assert "did not answer within 2 s" in await loading
    assert await left == scant(house.clock.now() - DEADLINE)
    folder.free.set()
    assert await store.load(KEYS) == MEMORY
