"""Reports of refused tokens: a program says that IAM or a service refuses the token that it was given.

A report names the token by its SHA-256, so that no dead token travels. Who may read an identity may report its tokens; what
that costs IAM is bounded by the lease, whoever reports and however often (invariant L9), and for each user by its pace.
"""

import json
import math
import re

from aiohttp import web

from broker.core import lease
from broker.core.errors import Code, Refusal
from broker.core.reports import Outcome
from broker.keeper.keeper import Keeper
from broker.keeper.reporting import report
from broker.serving import answers, prefer
from broker.serving.context import DESK
from broker.serving.headers import NO_STORE
from broker.serving.pace import Turn
from broker.serving.permission import Permit, handed_out, permit, still

_DIGEST = re.compile(r"[0-9a-fA-F]{64}")
_FORM = 'send {"sha256": "..."}, the SHA-256 of the token in 64 hex digits'
# What is under way lands within this, or nobody knows when.
_SOON = 1


async def reject(request: web.Request) -> web.Response:
    """`POST /v1/identities/{name}/rejections`."""
    desk, allowed = request.app[DESK], permit(request)
    digest = await _digest(request)
    patience = prefer.patience(request)
    keeper = desk.keyring[allowed.identity]
    turn = Turn(desk.pace, allowed.caller.uid, desk.clock.now())
    outcome = await report(keeper, digest, patience.until, turn)
    allowed = still(request, keeper)
    answer = _answer(request, allowed, keeper, outcome)
    if outcome is Outcome.DEFERRED and (seconds := _retry_after(keeper, desk.clock.now(), turn)) is not None:
        answer["retry_after"] = seconds
    return web.json_response(answer, headers=NO_STORE | patience.applied())


def _answer(request: web.Request, allowed: Permit, keeper: Keeper, outcome: Outcome) -> answers.Json:
    desk, name = request.app[DESK], keeper.lease.identity
    now = desk.clock.now()
    held = lease.servable(keeper.lease, now)
    answer: answers.Json = {"outcome": outcome.value, "token": None}
    if held is not None:
        handed_out(request, allowed, held, now)
        answer["token"] = answers.token(name, held, now, stale=lease.stale(keeper.lease, now))
    return answer


def _retry_after(keeper: Keeper, now: float, turn: Turn) -> int | None:
    """Seconds after which the same report may bring more; None where nobody knows."""
    if turn.wait:
        return math.ceil(turn.wait)
    kept = keeper.lease
    if lease.in_flight(kept) or kept.watch.flying:
        return _SOON
    if kept.wanted or lease.servable(kept, now) is None:
        at = keeper.next_try(now)
    else:
        check = lease.next_check(kept, now)
        # Where lives cannot be checked, only a new token helps, and those are forced ever more rarely.
        heard = kept.reports.until  # from when on a report is looked into again
        if not math.isfinite(check):
            at = max(heard, kept.reports.next_forced)
        else:
            at = min(check, heard) if kept.watch.trouble is None else check
    return max(_SOON, math.ceil(at - now)) if math.isfinite(at) else None


async def _digest(request: web.Request) -> str:
    """The hash that the body names, in lower case. Raises Refusal."""
    try:
        body = await request.read()
    except (web.RequestPayloadError, ConnectionError):
        raise Refusal(Code.BAD_REQUEST, f"the body broke off or is packed wrongly; {_FORM}") from None
    try:
        tree = json.loads(body)
    except (ValueError, RecursionError):
        raise Refusal(Code.BAD_REQUEST, f"the body is no JSON; {_FORM}") from None
    digest = tree.get("sha256") if isinstance(tree, dict) else None
    if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
        raise Refusal(Code.BAD_REQUEST, f"the body names no token; {_FORM}")
    return digest.lower()
