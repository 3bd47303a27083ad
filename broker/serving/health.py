"""Health for probes: is the loop alive, and does every identity hold a usable token. No caller is asked for, no secret told."""

from aiohttp import web

from broker.core import lease
from broker.serving import answers
from broker.serving.context import CLOCK, DRAIN, KEYRING

_NO_STORE = {"Cache-Control": "no-store"}


async def livez(request: web.Request) -> web.Response:
    """`GET /livez`: that this is answered at all is the answer."""
    del request
    return web.json_response({"status": "ok"}, headers=_NO_STORE)


async def readyz(request: web.Request) -> web.Response:
    """`GET /readyz`: 200 while every identity holds a usable token, whether or not IAM is up; else 503 with reasons."""
    reports = {name: _report(request, name) for name in request.app[KEYRING]}
    draining = request.app[DRAIN].begun
    ready = not draining and all(report["ready"] for report in reports.values())
    body: answers.Json = {"ready": ready, "draining": draining, "identities": reports}
    return web.json_response(body, status=200 if ready else 503, headers=_NO_STORE)


def _report(request: web.Request, name: str) -> answers.Json:
    now, keeper = request.app[CLOCK].now(), request.app[KEYRING][name]
    ready = lease.servable(keeper.lease, now) is not None
    report: answers.Json = {
        "ready": ready,
        "state": answers.state(keeper.lease, now),
        "degraded": answers.degraded(keeper.lease),
    }
    if not ready:
        refusal = keeper.refusal(now)
        report |= {"reason": refusal.code.value, "detail": refusal.detail}
    return report
