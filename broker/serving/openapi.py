"""The description of the API for programs: one file of this package, served as it is."""

from functools import cache
from importlib import resources

from aiohttp import web


async def document(request: web.Request) -> web.Response:
    """`GET /openapi.json`."""
    del request
    return web.Response(
        body=_document(), content_type="application/json", headers={"Cache-Control": "no-store"}
    )


@cache
def _document() -> bytes:
    return resources.files("broker.serving").joinpath("openapi.json").read_bytes()
