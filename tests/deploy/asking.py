"""A request from somewhere that the broker does not serve."""

import asyncio
import json


async def refused(address: str, header: str) -> str:
    """Ask for a token at a TCP address with one header more, or another Host, and return the code of the refusal."""
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    own = [] if header.startswith("Host:") else [f"Host: {address}"]
    lines = ["GET /v1/token HTTP/1.1", *own, "Metadata: true", "Connection: close", header, "", ""]
    writer.write("\r\n".join(lines).encode())
    _, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    code: str = json.loads(body)["code"]
    return code
