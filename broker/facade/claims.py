"""What a client asks for by `POST /auth/tokens`, read from Keystone's JSON; pure.

Keystone's own rules of form hold as far as they mean something here: one method, `application_credential` or `token`. Users
and domains, by which Keystone finds a credential of a name, mean nothing: the name is that of an identity of the broker.
"""

import json
from dataclasses import dataclass

from broker.core.errors import Code, Refusal
from broker.core.secret import Secret

_FORM = (
    'send {"auth": {"identity": {"methods": ["application_credential"], '
    '"application_credential": {"id": IDENTITY, "secret": SECRET}}}}, or the method token'
)

Tree = dict[str, object]


@dataclass(frozen=True, slots=True)
class Scope:
    """The project that a token is asked for, by its id or its name; neither: for something that is no project."""

    project_id: str | None = None
    project_name: str | None = None


@dataclass(frozen=True, slots=True)
class ByCredential:
    """By an application credential: the identity's name, and its client secret where it has one."""

    identity: str
    secret: Secret
    scope: Scope | None


@dataclass(frozen=True, slots=True)
class ByToken:
    """By a token that the client has already."""

    token: Secret
    scope: Scope | None


Claim = ByCredential | ByToken


def read(body: bytes) -> Claim:
    """The claim that a body makes. Raises Refusal where it is none that can be met here."""
    try:
        tree = json.loads(body)
    except (ValueError, RecursionError):
        raise Refusal(Code.BAD_REQUEST, f"the body is no JSON; {_FORM}") from None
    auth = _object(tree, "auth")
    identity = _object(auth, "identity")
    scope = _scope(auth)
    match identity.get("methods"):
        case ["application_credential"]:
            return _credential(_object(identity, "application_credential"), scope)
        case ["token"]:
            return ByToken(Secret(_text(_object(identity, "token"), "id")), scope)
        case list():
            raise Refusal(
                Code.UNAUTHORIZED,
                "the broker knows the methods application_credential and token; use one of them",
            )
        case _:
            raise Refusal(Code.BAD_REQUEST, f"the body names no method; {_FORM}")


def _credential(tree: Tree, scope: Scope | None) -> ByCredential:
    identity = _text(tree, "id") if "id" in tree else _text(tree, "name")
    return ByCredential(identity, Secret(_text(tree, "secret")), scope)


def _scope(auth: Tree) -> Scope | None:
    """None where none is asked for: then it is that of the credential."""
    asked = auth.get("scope")
    if asked is None:
        return None
    project = asked.get("project") if isinstance(asked, dict) else None
    if not isinstance(project, dict):
        return Scope()
    given = {key: value for key, value in project.items() if isinstance(value, str)}
    return Scope(given.get("id"), given.get("name"))


def _object(tree: object, key: str) -> Tree:
    value = tree.get(key) if isinstance(tree, dict) else None
    if not isinstance(value, dict):
        raise Refusal(Code.BAD_REQUEST, f"the body has no {key}; {_FORM}")
    return value


def _text(tree: Tree, key: str) -> str:
    value = tree.get(key)
    if not isinstance(value, str):
        raise Refusal(Code.BAD_REQUEST, f"the body has no {key}; {_FORM}")
    return value
