"""The description of the API for programs: one file of this package, served as it is."""

from functools import cache
from importlib import resources

from aiohttp import web

from broker.serving.headers import NO_STORE


async def document(request: web.Request) -> web.Response:
    """`GET /openapi.json`."""
    del request
    return web.Response(body=_document(), content_type="application/json", headers=NO_STORE)


@cache
def _document() -> bytes:
    return resources.files("broker.serving").joinpath("openapi.json").read_bytes()
