"""The body of a reply, whole but never larger than the broker is willing to hold.

Compression is not asked for, and still bounded where a gateway adds it: a few kilobytes can unfold to gigabytes.
"""

import zlib

import aiohttp

from broker.core.errors import Fault, IamError
from broker.issuer.headers import Headers, sole

LIMIT = 4 * 1024 * 1024  # bytes, folded as well as unfolded
_CHUNK = 64 * 1024
_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS


async def read(response: aiohttp.ClientResponse) -> bytes:
    """The body as it came over the wire."""
    body = bytearray()
    async for chunk in response.content.iter_chunked(_CHUNK):
        body += chunk
        if len(body) > LIMIT:
            raise _too_large()
    return bytes(body)


def unfold(headers: Headers, body: bytes) -> bytes:
    """The body without its Content-Encoding."""
    encodings = [value.strip().lower() for name, value in headers if name.lower() == "content-encoding"]
    if encodings in ([], ["identity"]):
        return body
    plain = b""
    sound = False
    if (sole(headers, "Content-Encoding") or "").strip().lower() in {"gzip", "x-gzip", "deflate"}:
        unzip = zlib.decompressobj(_GZIP_OR_ZLIB)
        try:
            plain = unzip.decompress(body, LIMIT + 1)
            sound = unzip.eof and not unzip.unused_data
        except zlib.error:
            sound = False
    if len(plain) > LIMIT:
        raise _too_large()
    if not sound:
        raise IamError(
            Fault.PROTOCOL,
            "IAM's answer is packed in a way not asked for; does a gateway compress on the way?",
        )
    return plain


def _too_large() -> IamError:
    return IamError(
        Fault.PROTOCOL, "IAM's answer is larger than 4 MiB; check that iam.url is KakaoCloud's Keystone"
    )
