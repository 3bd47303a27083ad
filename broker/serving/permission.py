"""Permission at a request, and the one place where it is written down that a token left.

- Permission is asked before any name is looked up: a name that does not exist and one that is not granted answer alike.
- Who waits is asked again afterwards: what is handed out is judged by the rules of that moment.
"""

from dataclasses import dataclass

from aiohttp import web

from broker.core.access import NO_GRANT, Verdict, Workload
from broker.core.errors import Code, Refusal
from broker.core.model import Held
from broker.keeper.keeper import Keeper
from broker.keeper.s3_held import S3Held
from broker.serving.books import S3
from broker.serving.context import DESK
from broker.serving.doorway import DOORWAY
from broker.serving.passage import workload


@dataclass(frozen=True, slots=True)
class Permit:
    """A proven caller that may read an identity."""

    caller: Workload
    identity: str
    by: str  # the rule that allows it


def permit(request: web.Request, name: str | None = None) -> Permit:
    """For this identity, or the one named in the path, if it is there and the caller may have its token. Raises Refusal."""
    desk, caller = request.app[DESK], workload(request)
    name = request.match_info["name"] if name is None else name
    verdict = desk.policy.may_read(caller, name)
    if not verdict or name not in desk.keyring:
        raise denied(caller, verdict)
    return Permit(caller, name, verdict.by)


def still(request: web.Request, keeper: Keeper) -> Permit:
    """After a wait: by the rules of now, and for the identity that was asked for, not another of its name. Raises Refusal."""
    name = keeper.lease.identity
    allowed = permit(request, name)
    if request.app[DESK].keyring[name] is not keeper:
        raise Refusal(Code.NOT_READY, "the identity was replaced while you waited; ask again", 1.0)
    return allowed


def denied(caller: Workload, verdict: Verdict | None = None) -> Refusal:
    """The same words for what is not granted and what does not exist."""
    return Refusal(
        Code.ACCESS_DENIED,
        f"uid {caller.uid} may not read this identity; it needs a grant",
        by=verdict.by if verdict is not None and not verdict else NO_GRANT,
    )


def handed_out(request: web.Request, permit: Permit, held: Held, now: float) -> None:
    """A token leaves with the answer to this request."""
    desk = request.app[DESK]
    desk.meter.served(permit.identity, request.app[DOORWAY].label)
    desk.members[permit.identity].ledger.gave(held.token.digest, permit.caller.uid)
    life = held.span.deadline - now
    desk.auditor.handed(permit.caller, permit.identity, permit.by, held.token.digest, life, now)


def s3_handed_out(request: web.Request, permit: Permit, held: S3Held, now: float) -> None:
    """S3 credentials leave with it; the audit names them by the token that they were made with."""
    auditor, life = request.app[DESK].auditor, held.life.deadline - now
    auditor.handed(permit.caller, permit.identity, permit.by, held.origin.digest, life, now, what=S3)
