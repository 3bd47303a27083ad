"""What a client of Keystone asks beside tokens: answered from what the broker knows, or passed on to IAM."""

import json

from aiohttp import web

from broker.facade.presented import authenticated
from broker.serving.connection import ONCE_OUT
from broker.serving.context import DESK
from broker.serving.headers import NO_STORE
from broker.serving.permission import still

_PATIENCE = 10.0  # seconds
_SMALL = 64 * 1024  # bytes


async def catalog(request: web.Request) -> web.Response:
    """`GET /auth/catalog`: what came with the token."""
    rows = json.loads(authenticated(request).body)["token"].get("catalog", [])
    return web.json_response({"catalog": rows, "links": _links(request)}, headers=NO_STORE)


async def projects(request: web.Request) -> web.Response:
    """`GET /auth/projects`: those of the token's user, at most a minute old."""
    found = authenticated(request)
    rows = await found.member.projects.rows(request.app[DESK].clock.now() + _PATIENCE)
    still(request, found.member.keeper)
    links = {"next": None, "previous": None, **_links(request)}
    return web.json_response({"projects": rows, "links": links}, headers=NO_STORE)


async def passed_on(request: web.Request) -> web.Response:
    """Any other `GET` or `HEAD`, with the token that the client has; IAM judges what it may see."""
    found = authenticated(request)
    # As it stands on the wire: what is passed on is what the gates have looked at.
    path, mark, query = request.raw_path.partition("?")
    target = path.removeprefix("/identity").removeprefix("/v3")
    relay = found.member.relay
    answer = await relay.ask(found.token, request.method, target + mark + query)
    still(request, found.member.keeper)
    headers = dict(NO_STORE)
    if answer.kind is not None:
        headers["Content-Type"] = answer.kind
    if answer.retry_after is not None:
        headers["Retry-After"] = answer.retry_after
    response = web.Response(status=answer.status, body=answer.body, headers=headers)
    response[ONCE_OUT] = relay.kept(answer)
    if len(answer.body) > _SMALL:
        response.force_close()  # else it would be kept for as long as the connection
    return response


def _links(request: web.Request) -> dict[str, object]:
    return {"self": f"http://{request.host}{request.path}"}
