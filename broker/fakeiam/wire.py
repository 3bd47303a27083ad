"""Putting an answer on the wire, whole or broken."""

import socket
import struct
import uuid
from datetime import datetime
from email.utils import format_datetime
from typing import Final

from aiohttp import web

from broker.fakeiam.answer import Answer

_PIECE: Final = 64 * 1024


async def send(request: web.Request, answer: Answer, date: datetime) -> web.StreamResponse:
    """Send an answer with this `Date`; a cut one ends in the middle, then the connection is closed."""
    request_id = f"req-{uuid.uuid4()}"
    headers = {
        "Vary": "X-Auth-Token",
        "x-openstack-request-id": request_id,
        **answer.headers,
        "Date": format_datetime(date, usegmt=True),
    }
    payload = answer.payload()
    if payload:
        headers["Content-Type"] = answer.content_type
    if answer.cut and request.method != "HEAD":
        return await _send_half(request, answer.status, headers, payload)
    if answer.chunked:
        return await _send_chunked(request, answer.status, headers, payload)
    return web.Response(status=answer.status, headers=headers, body=payload)


def reset(request: web.Request) -> web.StreamResponse:
    """Break the connection so that the client sees a reset; the response is for nobody."""
    transport = request.transport
    if transport is not None:
        connection = transport.get_extra_info("socket")
        if connection is not None:
            # Lingering for zero seconds makes close() send RST instead of FIN.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    return web.Response()


async def _send_half(
    request: web.Request, status: int, headers: dict[str, str], payload: bytes
) -> web.StreamResponse:
    response = web.StreamResponse(status=status, headers={**headers, "Content-Length": str(len(payload))})
    await response.prepare(request)
    await response.write(payload[: len(payload) // 2])
    if request.transport is not None:
        request.transport.close()
    return response


async def _send_chunked(
    request: web.Request, status: int, headers: dict[str, str], payload: bytes
) -> web.StreamResponse:
    response = web.StreamResponse(status=status, headers=headers)
    await response.prepare(request)
    for start in range(0, len(payload), _PIECE):
        await response.write(payload[start : start + _PIECE])
    await response.write_eof()
    return response
