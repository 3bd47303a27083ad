"""Where clients begin: which versions of the API there are, and at which addresses."""

from aiohttp import web

from broker.facade import shape
from broker.serving.headers import NO_STORE


async def all_versions(request: web.Request) -> web.Response:
    """`GET /identity`: the one that there is. Keystone calls that a multiple choice."""
    values = [shape.version(request, "/identity/v3")]
    return web.json_response({"versions": {"values": values}}, status=300, headers=NO_STORE)


async def version(request: web.Request) -> web.Response:
    """`GET /identity/v3` or `/v3`."""
    prefix = request.path.rstrip("/")
    return web.json_response({"version": shape.version(request, prefix)}, headers=NO_STORE)
