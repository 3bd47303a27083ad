"""Which identity a caller means that names none: the one called default if it may read that, else its only one."""

from aiohttp import web

from broker.core.errors import Code, Refusal
from broker.serving.context import DESK
from broker.serving.passage import workload
from broker.serving.permission import Permit, denied, permit

DEFAULT_IDENTITY = "default"


def usual(request: web.Request) -> Permit:
    """For that one. Raises Refusal where there is none, or more than one."""
    desk, caller = request.app[DESK], workload(request)
    if DEFAULT_IDENTITY in desk.keyring and desk.policy.may_read(caller, DEFAULT_IDENTITY):
        return permit(request, DEFAULT_IDENTITY)
    readable = [name for name in desk.keyring if desk.policy.may_read(caller, name)]
    if len(readable) == 1:
        return permit(request, readable[0])
    if not readable:
        raise denied(caller)
    raise Refusal(
        Code.IDENTITY_REQUIRED,
        f"you may read {', '.join(readable)}; ask for one: /v1/identities/{readable[0]}/token",
    )
