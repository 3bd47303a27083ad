"""Health for probes: is the loop alive, and does every identity hold a usable token. No caller is asked for, no secret told."""

from aiohttp import web

from broker.core import lease
from broker.core.errors import Code, Refusal
from broker.serving import answers
from broker.serving.context import DESK, Desk
from broker.serving.headers import NO_STORE


async def livez(request: web.Request) -> web.Response:
    """`GET /livez`: that this is answered at all is the answer."""
    del request
    return web.json_response({"status": "ok"}, headers=NO_STORE)


async def readyz(request: web.Request) -> web.Response:
    """`GET /readyz`: 200 while every identity holds a usable token, whether or not IAM is up; else 503 with reasons."""
    desk = request.app[DESK]
    reports = {name: _report(desk, name) for name in desk.keyring}
    ready = not desk.drain.begun and all(report["ready"] for report in reports.values())
    return _answer({"ready": ready, "draining": desk.drain.begun, "identities": reports}, ready=ready)


async def readyz_one(request: web.Request) -> web.Response:
    """`GET /readyz/{name}`: the same for one identity."""
    desk, name = request.app[DESK], request.match_info["name"]
    if name not in desk.keyring:
        raise Refusal(Code.NOT_FOUND, "there is no identity of that name; see /readyz")
    report = _report(desk, name)
    ready = bool(report["ready"]) and not desk.drain.begun
    return _answer(report | {"ready": ready, "draining": desk.drain.begun}, ready=ready)


async def metrics(request: web.Request) -> web.Response:
    """`GET /metrics`: what a Prometheus scrapes."""
    desk = request.app[DESK]
    desk.allowed.tell()
    body, kind = desk.meter.exposition(request.headers.get("Accept", ""), desk.clock.now())
    return web.Response(body=body, headers=NO_STORE | {"Content-Type": kind})


def _answer(body: answers.Json, *, ready: bool) -> web.Response:
    return web.json_response(body, status=200 if ready else 503, headers=NO_STORE)


def _report(desk: Desk, name: str) -> answers.Json:
    now, keeper = desk.clock.now(), desk.keyring[name]
    ready = lease.servable(keeper.lease, now) is not None
    report: answers.Json = {
        "ready": ready,
        "state": answers.state(keeper.lease, now),
        # The codes alone: who asks here is not known, and the sentences name projects and roles.
        "degraded": answers.degraded(keeper)["degraded"],
    }
    if not ready:
        refusal = keeper.refusal(now)
        report |= {"reason": refusal.code.value, "detail": refusal.detail}
    return report
