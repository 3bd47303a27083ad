"""`/auth/tokens`: a token for a client of Keystone, and what it may ask about one.

- Nothing is issued here: who may read an identity gets the token that the broker holds, whatever the client calls it.
- Clients never report a refused token, they ask for one again, perhaps hours later. So who was given the token before has
  it looked at first, and is not given a dead one twice. Most of those who ask again have just been started and doubt nothing;
  they leave a validation to a client that asks over the connection by which it was given that very token.
- Clients keep a token that has some minutes to live; one with less has them come back at each call.
"""

from aiohttp import web

from broker.core import lease
from broker.core.errors import Code, Refusal
from broker.core.model import Held
from broker.core.secret import Secret
from broker.facade import claims, shape
from broker.facade.claims import ByCredential, ByToken, Scope
from broker.facade.presented import known, subject
from broker.keeper import doubt
from broker.keeper.member import Member
from broker.serving.connection import Connection
from broker.serving.context import DESK
from broker.serving.headers import NO_STORE
from broker.serving.pace import Turn, early
from broker.serving.passage import ASKED_FOR
from broker.serving.permission import Permit, handed_out, permit, still

PATIENCE = 10.0  # seconds that a client waits for a token where there is none
LONGER = 2.0  # seconds that it waits for one that lives longer than the one at hand
DOUBT = 2.0  # seconds in which IAM may say that the token is dead, see INTERFACE section 5
LIFE = 300.0  # seconds that the token has left, if IAM gives such
SPARE = 1.0  # validations of the identity, and of the user, that a client which was just started leaves

_SECRET = (
    "the client secret does not fit; see the file that client_secret_file names in the broker's settings"  # noqa: S105
)
_SCOPE = "the token is for another project; leave the scope out, or ask for an identity of that project"
_STRANGE = "the broker did not hand out that token, or it has ended; use an application credential"


async def issue(request: web.Request) -> web.Response:
    """`POST /auth/tokens`."""
    desk = request.app[DESK]
    allowed, scope = await _admitted(request)
    member = desk.members[allowed.identity]
    now = desk.clock.now()
    held = lease.servable(member.keeper.lease, now)
    if held is not None:
        _in_scope(scope, held)  # before it costs a question
    if held is not None and member.ledger.given(held.token.digest, allowed.caller.uid):
        spare = 0.0 if _given_over(request) == held.token.digest else SPARE
        turn = Turn(desk.pace, allowed.caller.uid, now, spare)
        await doubt.settle(member.keeper, held.token.digest, now + DOUBT, turn, spare)
    held = await _lively(request, member, allowed)
    allowed = still(request, member.keeper)
    _in_scope(scope, held)
    handed_out(request, allowed, held, desk.clock.now())
    if isinstance(request.protocol, Connection):
        request.protocol.given = held.token.digest
    return _shown(request, held.token.value, held.token.body, 201)


async def look(request: web.Request) -> web.Response:
    """`GET /auth/tokens`: a token that was handed out, as IAM gave it."""
    found = subject(request)
    return _shown(request, found.token, found.body, 200)


async def revoke(request: web.Request) -> web.Response:
    """`DELETE /auth/tokens`: nothing is revoked, as others use the same token."""
    subject(request)
    return web.Response(status=204, headers=NO_STORE)


async def _admitted(request: web.Request) -> tuple[Permit, Scope | None]:
    """Who may have which identity's token, and the scope that was asked for. Raises Refusal."""
    try:
        body = await request.read()
    except (web.RequestPayloadError, ConnectionError):
        raise Refusal(Code.BAD_REQUEST, "the body broke off or is packed wrongly; send it again") from None
    if request.content_type != "application/json" and "Content-Type" in request.headers:
        raise Refusal(Code.BAD_REQUEST, "send the body with Content-Type: application/json, as IAM wants it")
    claim = claims.read(body)
    match claim:
        case ByCredential(identity, secret, scope):
            return _by_secret(request, identity, secret), scope
        case ByToken(token, scope):
            found = known(request, token)
            if found is None:
                raise Refusal(Code.UNAUTHORIZED, _STRANGE)
            return found.permit, scope


def _by_secret(request: web.Request, identity: str, secret: Secret) -> Permit:
    """Permission before proof: who has no grant learns nothing of a secret, or of whether there is one."""
    desk = request.app[DESK]
    request[ASKED_FOR] = identity
    allowed = permit(request, identity)
    if not desk.client_secrets.accepts(identity, secret, desk.clock.now()):
        raise Refusal(Code.UNAUTHORIZED, _SECRET, by="client secret")
    return allowed


async def _lively(request: web.Request, member: Member, allowed: Permit) -> Held:
    """A token with some minutes of life, where IAM gives such in time; else what there is. Raises Refusal."""
    desk, keeper = request.app[DESK], member.keeper
    held = await keeper.token(desk.clock.now() + PATIENCE)
    life = min(LIFE, held.span.lifetime / 2)
    if lease.enough(held, desk.clock.now(), life):
        return held
    until = desk.clock.now() + LONGER
    try:
        await early(desk.pace, keeper, allowed.caller.uid, until, life)
        return await keeper.token(until, life)
    except Refusal:
        return await keeper.token(desk.clock.now())


def _given_over(request: web.Request) -> str | None:
    """The token that this connection was given."""
    connection = request.protocol
    return connection.given if isinstance(connection, Connection) else None


def _in_scope(scope: Scope | None, held: Held) -> None:
    """The token's own project may be named, as clients do from habit."""
    project = held.token.project
    if scope is not None and scope not in {
        Scope(project.id),
        Scope(None, project.name),
        Scope(project.id, project.name),
    }:
        raise Refusal(Code.UNAUTHORIZED, _SCOPE)


def _shown(request: web.Request, token: Secret, body: bytes, status: int) -> web.Response:
    if "nocatalog" in request.query:
        body = shape.without_catalog(body)
    headers = {
        # In lower case on the wire: scripts look for it so, with grep.
        "x-subject-token": token.reveal(),
        "Vary": "X-Auth-Token",
        **NO_STORE,
    }
    return web.Response(status=status, body=body, content_type="application/json", headers=headers)
