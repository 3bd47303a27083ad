"""The body of a reply, whole but never larger than the broker is willing to hold.

Compression is not asked for, and still bounded where a gateway adds it: a few kilobytes can unfold to gigabytes.
"""

import zlib

import aiohttp

from broker.core.errors import Fault, IamError
from broker.outward.headers import Headers, sole
from broker.outward.peer import Peer

_CHUNK = 64 * 1024
_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS
_KIB = 1024
_MIB = 1024 * _KIB


async def read(peer: Peer, response: aiohttp.ClientResponse) -> bytes:
    """The body as it came over the wire."""
    body = bytearray()
    async for chunk in response.content.iter_chunked(_CHUNK):
        body += chunk
        if len(body) > peer.largest:
            raise _too_large(peer)
    return bytes(body)


def unfold(peer: Peer, headers: Headers, body: bytes) -> bytes:
    """The body without its Content-Encoding."""
    encodings = [value.strip().lower() for name, value in headers if name.lower() == "content-encoding"]
    if encodings in ([], ["identity"]):
        return body
    plain = b""
    sound = False
    if (sole(headers, "Content-Encoding") or "").strip().lower() in {"gzip", "x-gzip", "deflate"}:
        unzip = zlib.decompressobj(_GZIP_OR_ZLIB)
        try:
            plain = unzip.decompress(body, peer.largest + 1)
            sound = unzip.eof and not unzip.unused_data
        except zlib.error:
            sound = False
    if len(plain) > peer.largest:
        raise _too_large(peer)
    if not sound:
        raise IamError(
            Fault.PROTOCOL,
            f"{peer.name}'s answer is packed in a way not asked for; does a gateway compress on the way?",
        )
    return plain


def _too_large(peer: Peer) -> IamError:
    limit = f"{peer.largest // _MIB} MiB" if peer.largest >= _MIB else f"{peer.largest // _KIB} KiB"
    return IamError(
        Fault.PROTOCOL, f"{peer.name}'s answer is larger than {limit}; check that {peer.url} is {peer.kind}"
    )
