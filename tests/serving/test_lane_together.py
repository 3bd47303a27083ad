"""Requests that come together, or one while another is answered: none is taken for another, nor two for one."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.fakes.clock import settle
from tests.serving.house import house, until
from tests.serving.kept import ASK, LAST, Kept, kept


@pytest.mark.parametrize("kept_one", [False, True])
@pytest.mark.parametrize("more", [ASK, ASK[:9], ASK[:-1]])
async def test_requests_that_came_together_are_not_taken_for_one(tmp_path: Path, more: bytes, kept_one: bool):
    """Two at once, and one with half of the next, each as often as it would take to be remembered."""
    async with house(tmp_path, "default") as broker:
        await broker.issued()
        for _ in range(3):
            async with AsyncExitStack() as stack:
                if kept_one:
                    one = await stack.enter_async_context(kept(broker))
                else:
                    reader, writer = await asyncio.open_unix_connection(broker.path)
                    stack.callback(writer.close)
                    one = Kept(reader, writer)
                for _ in range(3):
                    assert (await one.ask(ASK + more)).status == 200
                    if more != ASK:
                        await settle()
                        one.writer.write(ASK[len(more) :])
                    assert (await one.hear()).status == 200
                    await settle()


async def test_one_that_came_while_another_was_answered_is_not_taken_for_it(tmp_path: Path):
    """The first one waits for a token; what is remembered of its answer is not the second one's."""
    text = b"GET /v1/token?format=text HTTP/1.1\r\nHost: x\r\n\r\n"
    async with house(tmp_path, "default") as broker, AsyncExitStack() as stack:
        reader, writer = await asyncio.open_unix_connection(broker.path)
        stack.callback(writer.close)
        one = Kept(reader, writer)
        writer.write(ASK)
        await until(lambda: broker.clock.waiting)
        writer.write(text)
        await settle()
        broker.issuers["default"].grant("a token")
        for _ in range(3):
            answers = [await one.hear(), await one.hear()]
            assert [answer.headers["Content-Type"].partition(";")[0] for answer in answers] == [
                "application/json",
                "text/plain",
            ]
            writer.write(ASK)
            await settle()
            writer.write(text)


async def test_the_last_answer_of_a_connection_ends_it(tmp_path: Path):
    async with house(tmp_path, "default") as broker:
        await broker.issued()
        for _ in range(3):
            async with AsyncExitStack() as stack:
                reader, writer = await asyncio.open_unix_connection(broker.path)
                stack.callback(writer.close)
                assert (await Kept(reader, writer).ask(LAST)).headers["Connection"] == "close"
                async with asyncio.timeout(5):
                    assert await reader.read() == b""
