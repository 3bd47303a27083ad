"""The token and what is known of it, for callers who may have them.

Permission is asked before any name is looked up: a name that does not exist and one that is not granted answer alike.
"""

import re

from aiohttp import web

from broker.core import lease
from broker.core.access import Workload
from broker.core.errors import Code, Refusal
from broker.core.model import Held
from broker.keeper.keeper import Keeper
from broker.serving import accept, answers, prefer, tag
from broker.serving.context import DESK
from broker.serving.doorway import DOORWAY
from broker.serving.passage import workload

DEFAULT_IDENTITY = "default"
_MIN_TTL = re.compile(r"[0-9]{1,9}")


async def default_token(request: web.Request) -> web.Response:
    """`GET /v1/token`: the identity named default, or the caller's only one."""
    desk, caller = request.app[DESK], workload(request)
    readable = [name for name in desk.keyring if desk.policy.may_read(caller, name)]
    if DEFAULT_IDENTITY in readable:
        return await _token(request, DEFAULT_IDENTITY)
    if len(readable) == 1:
        return await _token(request, readable[0])
    if not readable:
        raise denied(caller)
    raise Refusal(
        Code.IDENTITY_REQUIRED,
        f"you may read {', '.join(readable)}; ask for one: /v1/identities/{readable[0]}/token",
    )


async def named_token(request: web.Request) -> web.Response:
    """`GET /v1/identities/{name}/token`."""
    return await _token(request, readable_name(request))


def readable_name(request: web.Request) -> str:
    """The identity named in the path, if it is there and the caller may have its token. Raises Refusal."""
    desk, caller, name = request.app[DESK], workload(request), request.match_info["name"]
    if not desk.policy.may_read(caller, name) or name not in desk.keyring:
        raise denied(caller)
    return name


def denied(caller: Workload) -> Refusal:
    """The same words for what is not granted and what does not exist."""
    return Refusal(Code.ACCESS_DENIED, f"uid {caller.uid} may not read this identity; it needs a grant")


async def _token(request: web.Request, name: str) -> web.Response:
    text, min_ttl = accept.wants_text(request), _min_ttl(request)
    desk, keeper = request.app[DESK], request.app[DESK].keyring[name]
    asked = prefer.wait(request.headers.getall("Prefer", []))
    until = desk.clock.now() + (prefer.DEFAULT if asked is None else asked)
    held = await keeper.token(until, min_ttl)
    known = request.headers.getall("If-None-Match", [])
    if asked and tag.matches(known, held.token.digest):
        held = await _another(request, keeper, held, until, min_ttl)
    headers = {"Cache-Control": "no-store", "Vary": "Accept", "ETag": tag.of(held.token.digest)}
    if asked is not None:
        headers["Preference-Applied"] = f"wait={asked:.0f}"
    if tag.matches(known, held.token.digest):
        return web.Response(status=304, headers=headers)
    if request.method != "HEAD":  # which takes nothing away
        desk.meter.served(name, request.app[DOORWAY].label)
    if text:
        return web.Response(text=held.token.value.reveal(), content_type="text/plain", headers=headers)
    now = desk.clock.now()
    body = answers.token(name, held, now, stale=lease.stale(keeper.lease, now))
    return web.json_response(body, headers=headers)


async def _another(request: web.Request, keeper: Keeper, held: Held, until: float, min_ttl: float) -> Held:
    """The successor of `held` once there is one, else what there is at the end of the wait."""
    desk = request.app[DESK]
    while desk.clock.now() < until and not desk.drain.begun:
        await keeper.news(until)
        now = lease.servable(keeper.lease, desk.clock.now())
        if now is not None and now.token.digest != held.token.digest:
            break
    # It waited for long: whether it may still have the token is asked again.
    caller = workload(request)
    if not desk.policy.may_read(caller, keeper.lease.identity):
        raise denied(caller)
    return await keeper.token(desk.clock.now(), min_ttl)


def _min_ttl(request: web.Request) -> float:
    text = request.query.get("min_ttl", "0")
    if not _MIN_TTL.fullmatch(text):
        raise Refusal(Code.BAD_REQUEST, "min_ttl is a whole number of seconds")
    return float(text)
