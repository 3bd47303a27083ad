"""Changing a running emulator with curl, under `/_fake/`; see `HELP` for what there is.

Rules: only clients on loopback, and no web pages (a browser would send `Origin`); one act per request, in force
before the answer; a mistake is 400 or 404 with one sentence; a secret is shown once, when its key is made.
"""

import ipaddress
import json
from collections.abc import Awaitable, Callable
from typing import Any, Final

from aiohttp import web

from broker.fakeiam.durations import parse_duration
from broker.fakeiam.fault_text import fault_text
from broker.fakeiam.model import AccessRule, Key, new_id
from broker.fakeiam.realm import Realm, UnknownError
from broker.fakeiam.state import State

HELP: Final = (
    "GET /_fake/ -- what there is now",
    "GET /_fake/faults, POST /_fake/faults (body: 429:retry-after=3), DELETE /_fake/faults[/NUMBER]",
    "GET /_fake/counters, DELETE /_fake/counters",
    "PUT /_fake/life (body: 15m), PUT /_fake/s3-life (body: 15m; the longest), PUT /_fake/page-size (body: 2, or 0 for one page)",
    'POST /_fake/users (body: {"roles": ["member"]}), DELETE /_fake/users/ID, DELETE /_fake/projects/ID',
    "PUT /_fake/users/ID/enabled and PUT /_fake/projects/ID/enabled (body: true or false)",
    "PUT and DELETE /_fake/users/ID/roles/NAME, POST /_fake/users/ID/projects, POST /_fake/users/ID/password",
    'POST /_fake/keys (body: {"user": ID, "name": N, "lifetime": "15m", "access_rules": true, "unrestricted": true})',
    "DELETE /_fake/keys/ID",
    "DELETE /_fake/tokens -- revokes all",
)
Act = Callable[[State, "Order"], object]
_MOST_PAGE: Final = 10_000


class Order:
    """One request to the control API: the ids in its path, and its body."""

    def __init__(self, parts: dict[str, str], body: str) -> None:
        self.parts = parts
        self.body = body.strip()

    def flag(self) -> bool:
        """The body as true or false."""
        if self.body not in {"true", "false"}:
            raise ValueError("the body must be true or false")
        return self.body == "true"

    def fields(self, **known: type | tuple[type, ...]) -> dict[str, Any]:
        """The body as a JSON object with some of these fields; an empty body has none."""
        tree = json.loads(self.body or "{}")
        fits = isinstance(tree, dict) and all(isinstance(tree[n], known.get(n, ())) for n in tree)
        if not fits:
            raise ValueError("the body must be a JSON object with some of: " + ", ".join(sorted(known)))
        return dict(tree)


def routes(state: State) -> list[web.RouteDef]:
    """The control API of one emulator."""
    return [web.route(method, f"/_fake{path}", _guarded(state, act)) for method, path, act in _ACTS]


def _guarded(state: State, act: Act) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handle(request: web.Request) -> web.Response:
        if not _is_local(request):
            return _reply(403, {"error": "the control API answers programs on this host only"})
        body = await request.read()
        try:
            result = act(state, Order(dict(request.match_info), body.decode()))
        except UnknownError as error:
            return _reply(404, {"error": str(error)})
        except ValueError as error:
            return _reply(400, {"error": str(error)})
        return _reply(201 if request.method == "POST" else 200, result)

    return handle


def _is_local(request: web.Request) -> bool:
    return ipaddress.ip_address(request.remote or "0.0.0.0").is_loopback and "Origin" not in request.headers  # noqa: S104  (no address counts as a foreign one)


def _reply(status: int, tree: object) -> web.Response:
    return web.json_response(
        {"done": True} if tree is None else tree,
        status=status,
        dumps=lambda value: json.dumps(value, indent=2) + "\n",
    )


def _overview(state: State, _order: Order) -> object:
    return {
        "life": state.tokens.life,
        "s3_life": state.storage.most,
        "page_size": state.page_size,
        "tokens": len(state.tokens),
        "s3_credentials": len(state.storage),
        "users": [_user(state.realm, user_id) for user_id in state.realm.users],
        "keys": [_key(key) for key in state.realm.keys.values()],
        "faults": _faults(state),
        "counters": state.counters.as_tree(),
        "help": HELP,
    }


def _faults(state: State) -> list[dict[str, object]]:
    return [
        {"number": a.number, "fault": fault_text(a.fault), "left": a.left} for a in state.faults.in_force()
    ]


def _remove_fault(state: State, order: Order) -> None:
    number = order.parts["number"]
    if not state.faults.remove(int(number)):
        raise UnknownError(f"there is no fault number {number}")


def _set_life(state: State, order: Order) -> object:
    state.tokens.life = parse_duration(order.body)
    return {"life": state.tokens.life}


def _set_s3_life(state: State, order: Order) -> object:
    state.storage.most = parse_duration(order.body)
    return {"s3_life": state.storage.most}


def _set_page_size(state: State, order: Order) -> object:
    if not (order.body.isascii() and order.body.isdigit() and int(order.body[:9]) <= _MOST_PAGE):
        raise ValueError(f"the body must be a number from 0 (one page) to {_MOST_PAGE}")
    state.page_size = int(order.body) or None
    return {"page_size": state.page_size}


def _add_user(state: State, order: Order) -> object:
    fields = order.fields(roles=list, name=str)
    roles = fields.get("roles", [])
    if not all(isinstance(role, str) for role in roles):
        raise ValueError("roles must be a list of names")
    return _user(state.realm, state.realm.add_user(*roles, name=fields.get("name")).id)


def _add_key(state: State, order: Order) -> object:
    fields = order.fields(
        user=str, name=str, lifetime=(str, int, float), access_rules=bool, unrestricted=bool
    )
    user_id = fields.get("user") or next(iter(state.realm.users), "")
    lifetime = fields.get("lifetime")
    key = state.realm.add_key(
        user_id,
        name=fields.get("name"),
        lifetime=None if lifetime is None else parse_duration(str(lifetime)),
        access_rules=[AccessRule(new_id())] if fields.get("access_rules") else (),
        unrestricted=fields.get("unrestricted"),
    )
    return _key(key) | {"secret": key.secret}


def _user(realm: Realm, user_id: str) -> dict[str, object]:
    user = realm.user(user_id)
    projects = {
        project_id: {"enabled": realm.projects[project_id].enabled, "roles": sorted(roles)}
        for project_id, roles in user.roles.items()
    }
    return {
        "id": user.id,
        "name": user.name,
        "enabled": user.enabled,
        "home": user.home,
        "projects": projects,
    }


def _key(key: Key) -> dict[str, object]:
    ends = None if key.expires_at is None else key.expires_at.isoformat()
    return {
        "id": key.id,
        "name": key.name,
        "user": key.user_id,
        "project": key.project_id,
        "roles": sorted(key.roles),
        "expires_at": ends,
        "access_rules": len(key.access_rules),
        "unrestricted": bool(key.unrestricted),
    }


_ACTS: Final[tuple[tuple[str, str, Act], ...]] = (
    ("GET", "/", _overview),
    ("GET", "/faults", lambda state, _: _faults(state)),
    ("POST", "/faults", lambda state, order: {"number": state.faults.add(order.body)}),
    ("DELETE", "/faults", lambda state, _: state.faults.clear()),
    ("DELETE", r"/faults/{number:\d{1,9}}", _remove_fault),
    ("GET", "/counters", lambda state, _: state.counters.as_tree()),
    ("DELETE", "/counters", lambda state, _: state.counters.clear()),
    ("PUT", "/life", _set_life),
    ("PUT", "/s3-life", _set_s3_life),
    ("PUT", "/page-size", _set_page_size),
    ("POST", "/users", _add_user),
    ("DELETE", "/users/{id}", lambda state, order: state.realm.delete_user(order.parts["id"])),
    ("PUT", "/users/{id}/enabled", lambda s, o: s.realm.set_user_enabled(o.parts["id"], enabled=o.flag())),
    ("POST", "/users/{id}/password", lambda state, order: state.realm.change_password(order.parts["id"])),
    ("POST", "/users/{id}/projects", lambda s, o: {"project": s.realm.join_project(o.parts["id"]).id}),
    ("PUT", "/users/{id}/roles/{role}", lambda s, o: s.realm.add_role(o.parts["id"], o.parts["role"])),
    ("DELETE", "/users/{id}/roles/{role}", lambda s, o: s.realm.remove_role(o.parts["id"], o.parts["role"])),
    (
        "PUT",
        "/projects/{id}/enabled",
        lambda s, o: s.realm.set_project_enabled(o.parts["id"], enabled=o.flag()),
    ),
    ("DELETE", "/projects/{id}", lambda state, order: state.realm.delete_project(order.parts["id"])),
    ("POST", "/keys", _add_key),
    ("DELETE", "/keys/{id}", lambda state, order: state.realm.delete_key(order.parts["id"])),
    ("DELETE", "/tokens", lambda state, _: state.tokens.revoke_all()),
)
