"""What is known of identities, for who may see them; lists that IAM gives, for who may read them."""

import json

from aiohttp import web

from broker.core.errors import Code, Refusal
from broker.serving import answers, prefer
from broker.serving.context import DESK, Desk
from broker.serving.headers import NO_STORE
from broker.serving.passage import workload
from broker.serving.permission import denied, permit, still


async def identities(request: web.Request) -> web.Response:
    """`GET /v1/identities`: those that the caller may see."""
    desk, caller = request.app[DESK], workload(request)
    names = [name for name in desk.keyring if desk.policy.may_view(caller, name)]
    return _json({"identities": [_state(desk, name) for name in names]})


async def identity(request: web.Request) -> web.Response:
    """`GET /v1/identities/{name}`."""
    desk, caller, name = request.app[DESK], workload(request), request.match_info["name"]
    verdict = desk.policy.may_view(caller, name)
    if not verdict or name not in desk.keyring:
        raise denied(caller, verdict)
    return _json(_state(desk, name))


async def catalog(request: web.Request) -> web.Response:
    """`GET /v1/identities/{name}/catalog`: the token's catalog as Keystone gave it."""
    desk, name = request.app[DESK], permit(request).identity
    keeper = desk.keyring[name]
    held = await keeper.token(prefer.patience(request).until)
    still(request, keeper)
    catalog = json.loads(held.token.body)["token"].get("catalog")
    if catalog is None:
        raise Refusal(Code.NOT_FOUND, "IAM gave no catalog with this token")
    return _json({"catalog": catalog})


async def projects(request: web.Request) -> web.Response:
    """`GET /v1/identities/{name}/projects`: the user's projects as Keystone gives them, at most a minute old."""
    desk, name = request.app[DESK], permit(request).identity
    keeper = desk.keyring[name]
    rows = await desk.members[name].projects.rows(prefer.patience(request).until)
    still(request, keeper)
    return _json({"projects": rows})


def _state(desk: Desk, name: str) -> answers.Json:
    keeper = desk.keyring[name]
    keeper.observe()
    state = answers.identity(keeper, desk.clock.now(), desk.clock.wall())
    return state | {"files": [*desk.files.shown(name)]}


def _json(body: answers.Json) -> web.Response:
    return web.json_response(body, headers=NO_STORE)
