"""The token of an identity, for callers who may have it: at once, after a wait, or when there is another one."""

import re

from aiohttp import web

from broker.core import lease
from broker.core.errors import Code, Refusal
from broker.core.model import Held
from broker.keeper.keeper import Keeper
from broker.serving import accept, answers, prefer, tag
from broker.serving.context import DESK
from broker.serving.gates import route_of
from broker.serving.headers import NO_STORE
from broker.serving.pace import early
from broker.serving.passage import workload
from broker.serving.permission import Permit, handed_out, permit, still
from broker.serving.remembered import HANDED_OUT, HandedOut, plain
from broker.serving.usual import usual

_MIN_TTL = re.compile(r"[0-9]{1,9}")


async def default_token(request: web.Request) -> web.Response:
    """`GET /v1/token`: the identity named default, or the caller's only one."""
    return await _token(request, usual(request))


async def named_token(request: web.Request) -> web.Response:
    """`GET /v1/identities/{name}/token`."""
    return await _token(request, permit(request))


async def _token(request: web.Request, allowed: Permit) -> web.Response:
    text, min_ttl = accept.wants_text(request), _min_ttl(request)
    name, desk = allowed.identity, request.app[DESK]
    keeper = desk.keyring[name]
    patience = prefer.patience(request)
    held = await _held(request, keeper, patience.until, min_ttl)
    known = request.headers.getall("If-None-Match", [])
    if patience.asked and tag.matches(known, held.token.digest):
        held = await _another(request, keeper, held, patience.until, min_ttl)
    allowed = still(request, keeper)
    headers = NO_STORE | patience.applied() | {"Vary": "Accept", "ETag": tag.of(held.token.digest)}
    if tag.matches(known, held.token.digest):
        return web.Response(status=304, headers=headers)
    now = desk.clock.now()
    if request.method != "HEAD":  # which takes nothing away
        handed_out(request, allowed, held, now)
    stale = lease.stale(keeper.lease, now)
    body = answers.body(name, held, now, stale=stale, bare=text)
    kind = "text/plain" if text else "application/json"
    response = web.Response(text=body, content_type=kind, headers=headers)
    if plain(request):
        route, until = route_of(request), held.span.turns_at(now)
        as_of = desk.allowed.changes
        response[HANDED_OUT] = HandedOut(
            allowed.caller, name, allowed.by, held, stale, text, route, until, as_of
        )
    return response


async def _another(request: web.Request, keeper: Keeper, held: Held, until: float, min_ttl: float) -> Held:
    """The successor of `held` once there is one, else what there is at the end of the wait."""
    desk = request.app[DESK]
    while desk.clock.now() < min(until, keeper.closing_at) and not desk.drain.begun:
        await keeper.next_token(until)
        now = lease.servable(keeper.lease, desk.clock.now())
        if now is not None and now.token.digest != held.token.digest:
            break
    return await _held(request, keeper, desk.clock.now(), min_ttl)


async def _held(request: web.Request, keeper: Keeper, until: float, min_ttl: float) -> Held:
    """What the keeper gives by then; what an early refresh costs is the caller's."""
    if min_ttl:
        await early(request.app[DESK].pace, keeper, workload(request).uid, until, min_ttl)
    return await keeper.token(until, min_ttl)


def _min_ttl(request: web.Request) -> float:
    text = request.query.get("min_ttl", "0")
    if not _MIN_TTL.fullmatch(text):
        raise Refusal(Code.BAD_REQUEST, "min_ttl is a whole number of seconds")
    return float(text)
