"""What a request to the Keystone facade may bring at most: the part of the oracle that knows Keystone's API.

It shares no line with the broker: paths, claims and tokens are told apart anew, from what INTERFACE says of the facade.
"""

import json
import re

TOKEN = b"gAAAAABtheTokenOfDefault"
_FACE = re.compile(rb"/(?:identity|v3)(?:/.*)?", re.DOTALL)
_VERSIONS = re.compile(rb"/identity/?|/(?:identity/)?v3/?")
_LOGINS = re.compile(rb"/(?:identity/)?v3/auth/tokens/?")
_BELOW = re.compile(rb"/(?:identity/)?v3/[A-Za-z0-9._~/-]+")
_OWN = {"id": "p1", "name": "shop"}

Fields = tuple[tuple[bytes, bytes], ...]  # names in lower case


def is_facades(path: bytes) -> bool:
    """Whether the path belongs to the facade, which says no in Keystone's words."""
    return _FACE.fullmatch(path) is not None


def best(method: bytes, path: bytes, fields: Fields, body: bytes) -> str:
    """The most that a request without a doubt may bring: `token`, `answer` or nothing, as an empty text."""
    if method == b"POST":
        return "token" if _LOGINS.fullmatch(path) and _is_json(fields) and claims(body) else ""
    reads = method in {b"GET", b"HEAD"} and not body and not _all(fields, b"transfer-encoding")
    if reads and _VERSIONS.fullmatch(path):
        return "answer"
    if not (reads or method == b"DELETE") or _all(fields, b"x-auth-token")[:1] != [TOKEN]:
        return ""
    if _LOGINS.fullmatch(path):
        known = _all(fields, b"x-subject-token")[:1] == [TOKEN]
        return "" if not known else "token" if reads else "answer"
    return "answer" if reads and _BELOW.fullmatch(path) else ""


def claims(body: bytes) -> bool:
    """Whether it asks for the token of the one identity that may be read, by its name or by that token."""
    try:
        tree = json.loads(body)
    except (ValueError, RecursionError):
        return False
    match tree:
        case {
            "auth": {
                "identity": {"methods": ["application_credential"], "application_credential": given}
            } as auth
        }:
            named = given.get("id", given.get("name")) if isinstance(given, dict) else None
            secret = given.get("secret") if isinstance(given, dict) else None
            meant = named == "default" and isinstance(secret, str) and secret != ""
        case {"auth": {"identity": {"methods": ["token"], "token": {"id": given}}} as auth}:
            meant = given == TOKEN.decode()
        case _:
            return False
    return meant and _own(auth.get("scope"))


def _own(scope: object) -> bool:
    match scope:
        case None:
            return True
        case {"project": {**project}}:
            named = {key: project[key] for key in _OWN if isinstance(project.get(key), str)}
            return bool(named) and named.items() <= _OWN.items()
    return False


def _is_json(fields: Fields) -> bool:
    kinds = [value.partition(b";")[0].strip().lower() for value in _all(fields, b"content-type")]
    return all(kind == b"application/json" for kind in kinds)


def _all(fields: Fields, name: bytes) -> list[bytes]:
    return [value for known, value in fields if known == name]
