"""One request to the broker on an asyncio loop: as `ask` does it in a thread, by the same rules.

A request that is cancelled closes its connection; nothing of it is left behind. The loop's own socket calls are used, since
its streams take a Unix socket whose queue is full for one that is connected.
"""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

from broker.client import ask
from broker.client.address import Address, TcpAddress, UnixAddress
from broker.client.failures import Unreachable
from broker.client.reply import Answer, Cut, Incoming

if TYPE_CHECKING:
    from collections.abc import Callable

    from broker.client.ask import Steps, T


async def run(find: Callable[[], Address], steps: Steps[T]) -> T:
    """What the steps come to, each put to the broker that is found then. Raises ClientError."""
    try:
        question = next(steps)
        while True:
            if question.after:
                await asyncio.sleep(question.after)
            try:
                place = find()
                written = ask.request(place, question.target, question.headers, question.body)
                answer = await asked(place, written, question.timeout)
            except Unreachable as error:
                question = steps.throw(error)
            else:
                question = steps.send(answer)
    except StopIteration as end:
        result: T = end.value
        return result
    finally:
        steps.close()


async def asked(place: Address, request: bytes, timeout: float) -> Answer:  # noqa: ASYNC109  (one deadline in all)
    """What these bytes are answered with within `timeout` seconds in all. Raises Unreachable with the remedy."""
    try:
        async with asyncio.timeout(timeout):
            with await (_unix(place) if isinstance(place, UnixAddress) else _tcp(place)) as sock:
                return await _answer(sock, request)
    except (OSError, Cut) as error:
        raise ask.unreachable(place, error) from None


async def _answer(sock: socket.socket, request: bytes) -> Answer:
    loop, incoming = asyncio.get_running_loop(), Incoming()
    await loop.sock_sendall(sock, request)
    while True:
        answer = incoming.feed(await loop.sock_recv(sock, ask.CHUNK))
        if answer is not None:
            return answer


async def _tcp(place: TcpAddress) -> socket.socket:
    loop = asyncio.get_running_loop()
    for host in place.hosts:
        sock = _made(socket.AF_INET6 if ":" in host else socket.AF_INET)
        try:
            await loop.sock_connect(sock, (host, place.port))
        except ConnectionRefusedError:
            sock.close()
        except BaseException:
            sock.close()
            raise
        else:
            return sock
    raise ConnectionRefusedError


async def _unix(place: UnixAddress) -> socket.socket:
    sock = _made(socket.AF_UNIX)
    try:
        while True:
            try:
                sock.connect(place.path)  # at once, or not at all
                break
            except BlockingIOError:  # many callers at once; a moment later there is room
                await asyncio.sleep(ask.QUEUE_PAUSE)
        if not place.named:
            ask.prove(sock, place)
    except BaseException:
        sock.close()
        raise
    return sock


def _made(family: socket.AddressFamily) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.settimeout(0)
    return sock
