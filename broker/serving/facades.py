"""Where a caller finds the Keystone facade for an identity: for who starts programs that know Keystone alone.

Over TCP a caller is its uid and nothing else, so who may read an identity over the socket may be nobody there; and a client
that was written for Keystone would only tell "forbidden".
"""

from aiohttp import web

from broker.core.access import Workload
from broker.core.errors import Code, Refusal
from broker.serving.context import DESK
from broker.serving.headers import NO_STORE
from broker.serving.permission import Permit, permit
from broker.serving.usual import usual


async def default_facade(request: web.Request) -> web.Response:
    """`GET /v1/facade`: for the identity whose token `/v1/token` would give."""
    return _answer(request, usual(request))


async def named_facade(request: web.Request) -> web.Response:
    """`GET /v1/identities/{name}/facade`."""
    return _answer(request, permit(request))


def _answer(request: web.Request, allowed: Permit) -> web.Response:
    desk, name = request.app[DESK], allowed.identity
    body = {
        "identity": name,
        "urls": [f"http://{label}/identity/v3" for label in _open_to(request, allowed)],
        "client_secret": desk.client_secrets.wanted(name),
    }
    return web.json_response(body, headers=NO_STORE)


def _open_to(request: web.Request, allowed: Permit) -> list[str]:
    """The listeners at which this user gets the identity's token. Raises Refusal where there is none."""
    desk, uid = request.app[DESK], allowed.caller.uid
    if not desk.facades:
        raise Refusal(
            Code.NOT_FOUND,
            "no listener serves tokens over TCP, so there is no Keystone facade; add one to [[listen]], such as 127.0.0.1:9780",
        )
    labels = [
        label
        for label in desk.facades
        if desk.policy.may_read(Workload(uid=uid, gid=None, pid=None, listener=label), allowed.identity)
    ]
    if not labels:
        raise Refusal(
            Code.ACCESS_DENIED,
            f"uid {uid} may read this identity over the socket, and not by the Keystone facade: over TCP only `users` and "
            "`listeners` of a grant count",
            by="no grant over TCP",
        )
    return labels
