"""Reading the body of `POST /auth/tokens`, as strictly as Keystone's schema."""

import json
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from broker.fakeiam.model import Claim, RefusedError
from broker.fakeiam.realm import Realm

Part = TypeVar("Part")
_BLAME: Final = (
    "The server could not comply with the request since it is either malformed or otherwise incorrect. "
    "The client is assumed to be in error."
)
_NO_SCOPE: Final = (
    "Error authenticating with application credential: Application credentials cannot request a scope."
)


@dataclass(frozen=True, slots=True)
class Exchange:
    """The wish to have a new token for an old one (`methods: ["token"]`)."""

    token: str


def read_claim(body: bytes, content_type: str | None, realm: Realm) -> Claim | Exchange:
    """What the client says; RefusedError 400 for a wrong shape, 401 for any scope and for other methods."""
    # KakaoCloud refuses a missing type since 2026-04-02; plain Keystone would let it pass.
    if content_type is None or content_type.partition(";")[0].strip().lower() != "application/json":
        raise RefusedError(400, f"Content-Type must be application/json. {_BLAME}")
    auth = _part(_tree(body), "auth", dict)
    identity = _part(auth, "identity", dict)
    methods = _part(identity, "methods", list)
    if not all(isinstance(method, str) for method in methods):
        raise RefusedError(
            400, f"Invalid input for field 'identity/methods': a list of strings is expected. {_BLAME}"
        )
    if "scope" in auth and not isinstance(auth["scope"], dict | str):
        raise RefusedError(
            400, f"Invalid input for field 'scope': an object or a string is expected. {_BLAME}"
        )
    match methods:
        case ["application_credential"]:
            claim = _credential(_part(identity, "application_credential", dict), realm)
            if "scope" in auth:
                raise RefusedError(401, _NO_SCOPE)
            return claim
        case ["token"]:
            return Exchange(_part(_part(identity, "token", dict), "id", str))
        case _:
            for method in methods:
                if method not in identity:
                    raise RefusedError(400, f"Expecting to find {method} in identity. {_BLAME}")
            raise RefusedError(401, "Attempted to authenticate with an unsupported method.")


def _tree(body: bytes) -> dict[str, Any]:
    try:
        tree = json.loads(body)
    # Deep nesting ends in RecursionError; it is the client's fault all the same.
    except (ValueError, RecursionError):
        raise RefusedError(400, f"Expecting to find valid JSON in request body. {_BLAME}") from None
    if not isinstance(tree, dict):
        raise RefusedError(400, f"Expecting to find valid JSON in request body. {_BLAME}")
    return tree


def _credential(given: dict[str, Any], realm: Realm) -> Claim:
    # A secret that is missing or no text is a wrong one to Keystone: 401, not 400.
    secret = given["secret"] if isinstance(given.get("secret"), str) else ""
    if "id" in given:
        return Claim(secret, key_id=str(given["id"]))
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
        raise RefusedError(400, f"Expecting to find {name} in request body. {_BLAME}")
    return part
