"""Reading the body of `POST /auth/tokens`, as strictly as Keystone's schema."""

import json
from dataclasses import dataclass
from typing import Any, TypeVar

from broker.fakeiam.model import Claim, RefusedError
from broker.fakeiam.realm import Realm
from broker.fakeiam.tokens import UNAUTHORIZED

Part = TypeVar("Part")


@dataclass(frozen=True, slots=True)
class Exchange:
    """The wish to have a new token for an old one (`methods: ["token"]`)."""

    token: str


def read_claim(body: bytes, content_type: str | None, realm: Realm) -> Claim | Exchange:
    """What the client says; RefusedError 400 for a wrong shape, 401 for any scope and for other methods."""
    # KakaoCloud refuses a missing type since 2026-04-02; plain Keystone would let it pass.
    if content_type is None or content_type.partition(";")[0].strip().lower() != "application/json":
        raise RefusedError(400, "Content-Type must be application/json.")
    auth = _part(_tree(body), "auth", dict)
    identity = _part(auth, "identity", dict)
    methods = _part(identity, "methods", list)
    if not all(isinstance(method, str) for method in methods):
        raise RefusedError(400, "Invalid input for field 'methods': a list of strings is expected.")
    if methods == ["application_credential"]:
        claim: Claim | Exchange = _credential(_part(identity, "application_credential", dict), realm)
    elif methods == ["token"]:
        claim = Exchange(_part(_part(identity, "token", dict), "id", str))
    else:
        raise RefusedError(401, UNAUTHORIZED)
    if "scope" in auth and isinstance(claim, Claim):
        raise RefusedError(401, UNAUTHORIZED)
    return claim


def _tree(body: bytes) -> dict[str, Any]:
    try:
        tree = json.loads(body)
    # Deep nesting ends in RecursionError; it is the client's fault all the same.
    except (ValueError, RecursionError):
        raise RefusedError(400, "Expecting to find valid JSON.") from None
    if not isinstance(tree, dict):
        raise RefusedError(400, "Expecting to find a JSON object.")
    return tree


def _credential(given: dict[str, Any], realm: Realm) -> Claim:
    secret = _part(given, "secret", str)
    if "id" in given:
        return Claim(secret, key_id=_part(given, "id", str))
    name, user = _part(given, "name", str), _part(given, "user", dict)
    if "id" in user:
        return Claim(secret, name=name, user_id=_part(user, "id", str))
    user_name, domain = _part(user, "name", str), _part(user, "domain", dict)
    here = domain.get("id") == realm.domain_id or domain.get("name") == realm.domain_name
    known = (user.id for user in realm.users.values() if here and user.name == user_name)
    return Claim(secret, name=name, user_id=next(known, None))


def _part(tree: dict[str, Any], name: str, kind: type[Part]) -> Part:
    part = tree.get(name)
    if not isinstance(part, kind):
        raise RefusedError(400, f"Expecting to find {name} as {kind.__name__}: the server could not comply.")
    return part
