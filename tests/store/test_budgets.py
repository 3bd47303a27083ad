"""What was asked of IAM is remembered over restarts, and a crash loop cannot flood it (L6)."""

import asyncio
import json
import stat
import time

import pytest

from broker.core.budget import ISSUE_BURST, ISSUE_EVERY, TOTAL_BURST, TOTAL_EVERY, VALIDATION_BURST, Bucket
from broker.core.errors import StoreError
from broker.core.memory import Budgets
from broker.core.ports import Store
from broker.store.folder import Folder
from broker.store.lane import DEADLINE
from broker.store.memory import NoStore
from broker.store.total import TotalStore
from tests.fakes.clock import FakeClock
from tests.store.kept import FIRST, KEYS, MEMORY, TOKEN, URL, Hanging, House, blocked, scant

SPENT = Budgets(Bucket(ISSUE_BURST, 0.5, 990.0), Bucket(VALIDATION_BURST, 3.25, 1000.0))


async def test_a_first_start_has_all(house):
    assert await house.store().budgets() is None
    assert await house.store().budgets() == Budgets(
        Bucket.full(ISSUE_BURST, 1000.0), Bucket.full(VALIDATION_BURST, 1000.0)
    )


async def test_within_one_boot_what_was_left_is_left(house):
    await house.store().keep_budgets(SPENT)
    house.clock.at += 60
    house.set_wall(0.0)
    assert await house.store().budgets() == SPENT
    assert stat.S_IMODE(house.budget.stat().st_mode) == 0o600


async def test_after_a_reboot_the_wall_clock_says_how_much_has_come_back(house):
    await house.store().keep_budgets(SPENT)
    house.reboots(after=50)
    left = await house.store().budgets()
    assert left.issues.refilled(5.0, ISSUE_EVERY).level == pytest.approx(0.5 + 60 / ISSUE_EVERY)


async def test_a_wall_clock_that_went_back_gives_nothing_back(house):
    await house.store().keep_budgets(SPENT)
    house.reboots(after=-1000)
    left = await house.store().budgets()
    assert left == Budgets(Bucket(ISSUE_BURST, 0.5, 5.0), Bucket(VALIDATION_BURST, 3.25, 5.0))


async def test_another_address_is_a_first_start_and_another_key_is_none(house):
    await house.store().keep_budgets(SPENT)
    assert await house.store().budgets() == SPENT
    assert await house.store(url="https://iam.other/v3").budgets() is None


def changed(house: House, **fields: object) -> None:
    document = json.loads(house.budget.read_text())
    document["left"]["issues"] |= fields
    house.budget.write_text(json.dumps(document))


@pytest.mark.parametrize(
    ("level", "at", "issues"),
    [
        (99, 990.0, Bucket(ISSUE_BURST, 5.0, 990.0)),
        (-99, 990.0, Bucket(ISSUE_BURST, 0.0, 990.0)),
        (2, 5000.0, Bucket(ISSUE_BURST, 2.0, 1000.0)),
    ],
)
async def test_what_cannot_be_left_is_bounded(house, level, at, issues):
    await house.store().keep_budgets(SPENT)
    changed(house, level=level, at=at)
    assert (await house.store().budgets()).issues == issues


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", b"[]", b"x" * 5000, b'{"scope":1}'])
async def test_what_cannot_be_told_leaves_one_request_for_this_start_and_the_next(house, content):
    house.budget.write_bytes(content)
    house.budget.chmod(0o600)
    assert await house.store().budgets() == scant(1000.0)
    assert await house.store().budgets() == scant(1000.0)


async def test_a_level_that_is_no_number_leaves_one_request(house):
    await house.store().keep_budgets(SPENT)
    changed(house, level="5")
    assert await house.store().budgets() == scant(1000.0)
    assert await house.store().budgets() == scant(1000.0)


async def test_where_nothing_can_be_kept_one_request_is_left(house):
    await house.store().keep_budgets(SPENT)
    store = house.store()
    with blocked(house.folder.path):
        assert await store.budgets() == scant(1000.0)
        with pytest.raises(StoreError, match="cannot be written"):
            await store.keep_budgets(SPENT)
    unusable = House(Folder(house.folder.path, "it is in use; end that one"))
    assert await unusable.store().budgets() == scant(1000.0)
    with pytest.raises(StoreError, match="it is in use; end that one"):
        await unusable.store().keep_budgets(SPENT)


async def test_a_disk_that_is_full_leaves_one_request_though_it_can_be_read(house, monkeypatch):
    await house.store().keep_budgets(SPENT)

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.write", full)
    assert await house.store().budgets() == scant(1000.0)


async def asked_in_a_loop(house: House, starts: int, every: float) -> int:
    """How often IAM is asked where the broker asks at each start, if it may, and then dies."""
    asked = 0
    for _ in range(starts):
        store, now = house.store(), house.clock.now()
        left = await store.budgets()
        bucket = left.issues if left else Bucket.full(ISSUE_BURST, now)
        await store.load(KEYS)
        if bucket.ready_at(now, ISSUE_EVERY) <= now:
            asked += 1
            await store.keep_budgets(
                Budgets(bucket.taken(now, ISSUE_EVERY), Bucket.full(VALIDATION_BURST, now))
            )
        house.clock.at += every
    return asked


async def test_a_crash_loop_stays_within_the_budget(house):
    assert await asked_in_a_loop(house, starts=50, every=2.0) == ISSUE_BURST + int(49 * 2.0 / ISSUE_EVERY)


async def test_a_crash_loop_with_reboots_stays_within_the_budget(house):
    asked = 0
    for _ in range(10):
        asked += await asked_in_a_loop(house, starts=5, every=1.0)
        house.reboots(after=5.0)
    assert asked <= ISSUE_BURST + 10 * 10.0 / ISSUE_EVERY + 1


async def test_budgets_are_no_secret_and_hold_none(house):
    await house.saves()
    await house.store().keep_budgets(SPENT)
    kept = house.budget.read_text()
    for text in (TOKEN, FIRST.secret.reveal(), FIRST.ref, URL):
        assert text not in kept


async def test_who_keeps_nothing_may_ask_once_a_start():
    store: Store = NoStore(FakeClock(7.0))
    await store.save(MEMORY, KEYS)
    await store.keep_budgets(SPENT)
    assert await store.load(KEYS) is None
    assert await store.budgets() == scant(7.0)


async def test_what_all_may_ask_is_remembered_too(house):
    def total(url: str = URL) -> TotalStore:
        return TotalStore(house.folder, url, house.clock, house.boot)

    assert await total().load() is None
    await total().keep(Bucket(TOTAL_BURST, 3.5, 999.0))
    assert await total().load() == Bucket(TOTAL_BURST, 3.5, 999.0)
    with blocked(house.folder.path):
        assert await total().load() == Bucket(TOTAL_BURST, 1.0, 1000.0)
        with pytest.raises(StoreError):
            await total().keep(Bucket.full(TOTAL_BURST, 0.0))
    house.reboots(after=10)
    left = await total().load()
    assert left is not None
    assert left.refilled(5.0, TOTAL_EVERY).level == pytest.approx(3.5 + 11)
    assert await total("https://iam.other/v3").load() is None


async def test_a_disk_that_hangs_leaves_one_request_for_all(house):
    house.folder = folder = Hanging(house.folder)
    total = TotalStore(folder, URL, house.clock, house.boot)
    loading = asyncio.create_task(total.load())
    await folder.hangs()
    await house.clock.advance(DEADLINE)
    assert await loading == Bucket(TOTAL_BURST, 1.0, 1000.0)
    folder.free.set()


async def test_a_file_that_is_spoilt_at_each_start_gives_one_request_in_half_a_minute(house: House) -> None:
    house.set_wall(time.time())  # the file system has no other
    levels = []
    for _ in range(10):
        house.budget.write_bytes(b"spoilt")
        house.budget.chmod(0o600)
        left = await house.store().budgets()
        assert left is not None
        levels.append(left.issues.level)
    assert levels == [1.0] + [0.0] * 9
