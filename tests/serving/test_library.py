"""The names of the libraries' own that the edge leans on: where one is gone, this says so before anything else breaks.

See `serving/punctual.py` and `serving/connection.py`; the range of versions is in pyproject.toml, the reason in CONTRIBUTING.md.
"""

import asyncio
import inspect
import socket

import pytest
from aiohttp import web, web_protocol
from aiohttp.http import RawRequestMessage

OURS = "serving/punctual.py leans on this; see CONTRIBUTING.md"


@pytest.mark.parametrize(
    "name",
    ["_messages", "_request_count", "_max_msg_queue_size", "_waiter", "_request_in_progress", "_loop"],
)
def test_the_handler_has_the_fields(name: str):
    slots = {slot for kind in web.RequestHandler.__mro__ for slot in getattr(kind, "__slots__", ())}
    assert name in slots, OURS
    assert name in inspect.getsource(web_protocol), OURS


def test_the_handler_has_the_hooks():
    for name in (
        "_pause_reading_for_buffer",
        "data_received",
        "finish_response",
        "handle_error",
        "log_exception",
    ):
        assert callable(getattr(web.RequestHandler, name)), OURS


def test_what_is_refused_is_queued_as_the_parser_does_it():
    assert list(inspect.signature(web_protocol._ErrInfo).parameters) == ["status", "exc", "message"], OURS


def test_a_message_says_whether_it_offers_another_protocol():
    assert hasattr(RawRequestMessage, "upgrade"), OURS
    assert "_version" in inspect.getsource(web.BaseRequest), OURS


async def test_how_much_is_read_at_once_can_be_set():
    class Seen(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport = transport

    server = await asyncio.get_running_loop().create_server(Seen, "127.0.0.1", 0)
    async with server:
        _, protocol = await asyncio.get_running_loop().create_connection(
            Seen, *server.sockets[0].getsockname()
        )
        assert isinstance(protocol.transport.max_size, int), OURS  # type: ignore[attr-defined]
        protocol.transport.close()


def test_a_listening_socket_accepts_as_its_public_way_does():
    assert callable(getattr(socket.socket, "_accept", None)), "serving/site.py leans on this"
