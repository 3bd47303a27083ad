"""What is passed on for clients: so many at once, so many that wait, and nobody who has left holds a place."""

import asyncio

import pytest

from broker.core.errors import Code, Fault, IamError, Refusal
from broker.core.model import Passed
from broker.core.secret import Secret
from broker.keeper import relay
from broker.keeper.relay import AT_ONCE, Relay
from tests.fakes.clock import settle

TOKEN = Secret("token")


class Iam:
    """Implements the port `Forwarder`; each request waits until the test answers it."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.waiting: list[asyncio.Future[Passed]] = []

    async def relay(self, token: Secret, method: str, target: str) -> Passed:
        assert token is TOKEN
        self.asked.append((method, target))
        self.waiting.append(asyncio.get_running_loop().create_future())
        return await self.waiting[-1]

    async def answer(self, place: int = 0, body: bytes = b"{}") -> None:
        self.waiting.pop(place).set_result(Passed(200, "application/json", None, body))
        await settle()


def asks(passing: Relay, count: int, target: str = "/users") -> list[asyncio.Task[Passed]]:
    return [asyncio.create_task(passing.ask(TOKEN, "GET", f"{target}/{number}")) for number in range(count)]


async def ended(tasks: list[asyncio.Task[Passed]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def refusal(task: asyncio.Task[Passed]) -> Refusal:
    with pytest.raises(Refusal) as caught:
        await task
    return caught.value


async def test_so_many_are_asked_at_once_and_the_next_in_the_order_of_arrival():
    iam = Iam()
    tasks = asks(Relay(iam), AT_ONCE + 2)
    await settle()
    assert [target for _, target in iam.asked] == [f"/users/{number}" for number in range(AT_ONCE)]
    await iam.answer()
    assert iam.asked[AT_ONCE:] == [("GET", f"/users/{AT_ONCE}")]
    await iam.answer()
    assert len(iam.asked) == AT_ONCE + 2
    await ended(tasks)


async def test_beyond_so_many_that_wait_one_is_refused_at_once(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(relay, "MOST_WAITING", 2)
    iam = Iam()
    passing = Relay(iam)
    tasks = asks(passing, AT_ONCE + 2)
    await settle()
    refused = await refusal(asks(passing, 1)[0])
    assert (refused.code, refused.retry_after) == (Code.IAM_THROTTLED, 1.0)
    await iam.answer()  # one of those who wait has its turn, so there is a place
    late = asks(passing, 1)
    await settle()
    assert not late[0].done()
    await ended([*tasks, *late])


async def test_who_waits_for_a_turn_too_long_is_told_so(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(relay, "PATIENCE", 0.01)
    iam = Iam()
    passing = Relay(iam)
    tasks = asks(passing, AT_ONCE + 1)
    refused = await refusal(tasks[-1])
    assert (refused.code, refused.retry_after) == (Code.IAM_THROTTLED, 1.0)
    assert len(iam.asked) == AT_ONCE
    assert passing._waiting == 0
    await ended(tasks)


@pytest.mark.parametrize("leaves", ["while it is asked", "while it waits", "when its turn has just come"])
async def test_a_client_that_leaves_takes_its_request_along_and_leaves_its_turn(leaves: str):
    iam = Iam()
    passing = Relay(iam)
    tasks = asks(passing, AT_ONCE + 1)
    await settle()
    if leaves == "when its turn has just come":
        iam.waiting.pop(0).set_result(Passed(200, None, None, b""))
        await asyncio.sleep(0)  # its turn is given to the one that waits, which has not run yet
        await ended(tasks[-1:])
    else:
        await ended(tasks[:1] if leaves == "while it is asked" else tasks[-1:])
    await ended(tasks)
    # All turns are there again.
    iam.asked.clear()
    again = asks(passing, AT_ONCE)
    await settle()
    assert len(iam.asked) == AT_ONCE
    assert passing._waiting == 0
    await ended(again)


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Fault.UNAVAILABLE, Code.IAM_UNAVAILABLE),
        (Fault.PROTOCOL, Code.IAM_UNAVAILABLE),
        (Fault.THROTTLED, Code.IAM_THROTTLED),
        (Fault.REJECTED, Code.IAM_UNAVAILABLE),
    ],
)
async def test_a_fault_is_no_word_on_the_key_and_gives_the_turn_back(fault: Fault, code: Code):
    iam = Iam()
    passing = Relay(iam)
    for _ in range(AT_ONCE + 1):
        (task,) = asks(passing, 1)
        await settle()
        iam.waiting.pop().set_exception(IamError(fault, "trouble", 3.0))
        refused = await refusal(task)
        assert (refused.code, refused.detail, refused.retry_after) == (code, "trouble", 3.0)


async def test_a_defect_gives_the_turn_back_too():
    iam = Iam()
    passing = Relay(iam)
    for _ in range(AT_ONCE + 1):
        (task,) = asks(passing, 1)
        await settle()
        iam.waiting.pop().set_exception(ZeroDivisionError())
        with pytest.raises(ZeroDivisionError):
            await task
