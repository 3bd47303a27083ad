"""Keystone's identity API as a function from a request to an answer; no I/O.

Rules: a refusal is Keystone-shaped JSON; what this API does not know is an HTML page, as with Flask, so that a
client can tell a wrong URL from a dead key.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from broker.fakeiam import bodies, storage
from broker.fakeiam.answer import Answer, html_error, keystone_error
from broker.fakeiam.claims import Exchange, read_claim
from broker.fakeiam.faults import Operation
from broker.fakeiam.model import Claim, RefusedError, Token
from broker.fakeiam.paging import page
from broker.fakeiam.state import State
from broker.fakeiam.storage import Trade, read_trade
from broker.fakeiam.tokens import not_allowed_to

SUBJECT: Final = "x-subject-token"  # lower case on the wire: KakaoCloud's lab scripts look for exactly that


@dataclass(frozen=True, slots=True)
class Call:
    """One request; `base` is the URL up to and with `/identity`, `parts` are the ids in the path."""

    method: str
    path: str
    base: str
    operation: Operation
    query: Mapping[str, str] = field(default_factory=dict)
    parts: Mapping[str, str] = field(default_factory=dict)
    auth: str | None = field(default=None, repr=False)
    subject: str | None = field(default=None, repr=False)
    content_type: str | None = None
    claim: Claim | Exchange | Trade | RefusedError | None = field(default=None, repr=False)


Handler = Callable[[State, Call], Answer]


def claim_of(state: State, body: bytes, content_type: str | None) -> Claim | Exchange | RefusedError:
    """What a POST for a token asks, read before the answer because faults go by it."""
    try:
        return read_claim(body, content_type, state.realm)
    except RefusedError as refused:
        return refused


def trade_of(body: bytes, content_type: str | None) -> Trade | RefusedError:
    """What a POST for S3 credentials asks."""
    try:
        return read_trade(body, content_type)
    except RefusedError as refused:
        return refused


def key_id_of(state: State, call: Call) -> str | None:
    """The key behind a request, if it is one of ours."""
    if isinstance(call.claim, Claim):
        key = state.tokens.key_for(call.claim)
        return key.id if key else call.claim.key_id
    text = call.claim.token if isinstance(call.claim, Exchange | Trade) else call.auth
    token = state.tokens.find(text)
    return token.key.id if token else None


def respond(state: State, handler: Handler, call: Call) -> Answer:
    """The answer of a handler, or its refusal in Keystone's words."""
    try:
        return handler(state, call)
    except RefusedError as refused:
        if refused.code == 413:
            return html_error(413)
        headers = {"WWW-Authenticate": f'Keystone uri="{call.base}/v3"'} if refused.code == 401 else {}
        return keystone_error(refused.code, refused.message, headers)


def issue(state: State, call: Call) -> Answer:
    """`POST /v3/auth/tokens`."""
    match call.claim:
        case Claim() as claim:
            token = state.tokens.issue(claim)
            # Not judged like an old token: one issued in the second of a revocation is 201 and dead at once.
            return _token(state, call, 201, token, state.tokens.granted(token.key))
        case Exchange() as exchange:
            return _exchange(state, exchange)
        case RefusedError() as refused:
            raise refused
        case _:
            return _exchange(state, None)


def validate(state: State, call: Call) -> Answer:
    """`GET` or `HEAD /v3/auth/tokens`."""
    token = state.tokens.validate(call.auth, call.subject)
    return _token(state, call, 200, token, state.tokens.roles(token))


def revoke(state: State, call: Call) -> Answer:
    """`DELETE /v3/auth/tokens`."""
    state.tokens.revoke(state.tokens.validate(call.auth, call.subject).text)
    return Answer(204)


def users_projects(state: State, call: Call) -> Answer:
    """`GET /v3/users/{user}/projects`, with pages."""
    token = state.tokens.authenticate(call.auth)
    if token.key.user_id != call.parts["user"]:
        raise not_allowed_to("identity:list_user_projects")
    return _projects(state, call, call.parts["user"])


def own_projects(state: State, call: Call) -> Answer:
    """`GET /v3/auth/projects`."""
    return _projects(state, call, state.tokens.authenticate(call.auth).key.user_id)


def catalog(state: State, call: Call) -> Answer:
    """`GET /v3/auth/catalog`."""
    state.tokens.authenticate(call.auth)
    return Answer(
        200, {"catalog": bodies.catalog_list(state.realm, call.base), "links": {"self": _here(call)}}
    )


def key(state: State, call: Call) -> Answer:
    """`GET /v3/users/{user}/application_credentials/{key}`."""
    found = state.tokens.key_of(call.auth, call.parts["user"], call.parts["key"])
    return Answer(200, bodies.key_body(state.realm, found, call.base))


def s3(state: State, call: Call) -> Answer:
    """`POST /s3/{region}`: what `https://objectstorage.{region}.kakaocloud.com/` answers."""
    try:
        if not isinstance(call.claim, Trade):
            raise call.claim if isinstance(call.claim, RefusedError) else RefusedError(400, "InvalidRequest")
        return storage.shown(state.storage.give(call.claim, call.parts["region"]))
    except RefusedError as refused:
        return storage.refused(refused)


def versions(_state: State, call: Call) -> Answer:
    """`GET /identity`: 300, because there is a choice, of one."""
    tree = {"versions": {"values": [bodies.version_body(call.base)]}}
    return Answer(300, tree, headers={"Location": f"{call.base}/v3/"})


def version(_state: State, call: Call) -> Answer:
    """`GET /identity/v3`."""
    return Answer(200, {"version": bodies.version_body(call.base)})


def not_allowed(_state: State, _call: Call) -> Answer:
    """A known path with a method that it does not have."""
    tree = {"message": "The method is not allowed for the requested URL."}
    return Answer(405, tree, headers={"Allow": "DELETE, OPTIONS, POST, GET, HEAD"})


def unknown(_state: State, _call: Call) -> Answer:
    """Any path that does not exist."""
    return html_error(404)


def _token(state: State, call: Call, status: int, token: Token, roles: frozenset[str]) -> Answer:
    tree = bodies.token_body(state.realm, token, roles, call.base, catalog="nocatalog" not in call.query)
    return Answer(status, tree, headers={SUBJECT: token.text})


def _exchange(state: State, claim: Exchange | None) -> Answer:
    token = state.tokens.find(claim.token if claim else None)
    if token is None:
        raise RefusedError(404, "Could not recognize Fernet token")
    state.tokens.roles(token)
    raise RefusedError(
        403,
        "You are not authorized to perform the requested action: "
        "Using a delegated token to create another token is not allowed.",
    )


def _projects(state: State, call: Call, user_id: str) -> Answer:
    projects = state.realm.projects_of(user_id)
    shown, following = page(projects, call.query, state.page_size, _here(call))
    items = [bodies.project_body(state.realm, project, call.base) for project in shown]
    return Answer(200, bodies.listing("projects", items, here=_here(call), following=following))


def _here(call: Call) -> str:
    return call.base + call.path.removeprefix("/identity")
