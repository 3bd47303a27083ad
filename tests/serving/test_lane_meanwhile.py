"""What comes while a request is handled, or about to be, is another one: it must never be answered like the one before."""

import asyncio
from pathlib import Path

import pytest
from aiohttp import web

from broker.serving.punctual import Punctual
from tests.serving.house import house, until

TOKEN = b"GET /v1/token HTTP/1.1\r\nHost: x\r\n\r\n"
STATE = b"GET /v1/identities/default HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.mark.parametrize("step", ["_handle_request", "finish_response"])
async def test_it_is_not_remembered_in_the_place_of_the_one_that_is_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Rule: neither before its handler begins nor while its answer leaves."""
    async with house(tmp_path, "default") as broker:
        await broker.issued()
        reader, writer = await asyncio.open_unix_connection(broker.path)
        usual = getattr(Punctual, step)

        async def slowly(self: Punctual, request: web.BaseRequest, *more: object) -> object:
            if request.path == "/v1/token":
                writer.write(STATE)
                await until(lambda: self._messages)
            return await usual(self, request, *more)

        monkeypatch.setattr(Punctual, step, slowly)
        writer.write(TOKEN)
        assert b'"token"' in await reader.readuntil(b'"key_expires_at": null}')
        assert b'"token"' not in await reader.readuntil(b'"validation"')
        writer.close()
        reader, writer = await asyncio.open_unix_connection(broker.path)
        writer.write(STATE)
        assert b'"token"' not in await reader.readuntil(b'"validation"')
        writer.close()


async def test_other_bytes_than_those_of_the_request_are_never_remembered_with_its_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rule: even if they were mistaken for all that came, the request that was judged would have to read like them."""
    usual = Punctual._feed

    def mistaken(self: Punctual, data: bytes) -> None:
        usual(self, data)
        self._alone = STATE

    monkeypatch.setattr(Punctual, "_feed", mistaken)
    async with house(tmp_path, "default") as broker:
        await broker.issued()
        for request in (TOKEN, STATE, STATE):
            reader, writer = await asyncio.open_unix_connection(broker.path)
            writer.write(request)
            end = b'"key_expires_at": null}' if request == TOKEN else b'"validation"'
            assert (b'"token"' in await reader.readuntil(end)) is (request == TOKEN)
            writer.close()
