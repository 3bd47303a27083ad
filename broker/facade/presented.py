"""Tokens that clients present: known by their SHA-256, and only to who may read the identity that had them."""

from dataclasses import dataclass

from aiohttp import web

from broker.core.errors import Code, Refusal
from broker.core.secret import Secret
from broker.keeper.member import Member
from broker.serving.context import DESK
from broker.serving.passage import workload
from broker.serving.permission import Permit

_DEAD = "the token that you sent was revoked; get another one by POST /auth/tokens"
_STRANGE = (
    "the broker did not hand out the token that you sent, or it has ended; get one by POST /auth/tokens"
)


@dataclass(frozen=True, slots=True)
class Presented:
    """A token that was handed out once, and has not ended since."""

    token: Secret
    body: bytes  # IAM's answer with it
    permit: Permit
    member: Member

    @property
    def dead(self) -> bool:
        """Whether it is known to have been revoked."""
        return self.token.sha256() in self.member.keeper.lease.rejected


def known(request: web.Request, token: Secret) -> Presented | None:
    """Whose token this is, of those that the caller may read. Raises Refusal where nobody knows who calls."""
    desk, caller = request.app[DESK], workload(request)
    try:
        digest = token.sha256()
    except UnicodeEncodeError:
        # Half of a pair of surrogates, which JSON and headers may hold and no token does.
        return None
    now = desk.clock.now()
    for name, member in desk.members.items():
        body = member.ledger.find(digest, now)
        if body is not None and (verdict := desk.policy.may_read(caller, name)):
            return Presented(token, body, Permit(caller, name, verdict.by), member)
    return None


def authenticated(request: web.Request) -> Presented:
    """The token by which the client says who it is, if it is good. Raises Refusal."""
    found = known(request, Secret(request.headers.get("X-Auth-Token", "")))
    if found is None or found.dead:
        raise Refusal(Code.UNAUTHORIZED, _STRANGE if found is None else _DEAD)
    return found


def subject(request: web.Request) -> Presented:
    """The token that the client asks about, if it is good. Raises Refusal."""
    authenticated(request)
    found = known(request, Secret(request.headers.get("X-Subject-Token", "")))
    if found is None or found.dead:
        raise Refusal(Code.NOT_FOUND, "there is no such token")
    return found
