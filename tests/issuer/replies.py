"""Answers of a Keystone, written out from its documentation; what the tests of the issuer feed to it."""

import json

# Canaries: no text that leaves the issuer may hold one of them.
TOKEN = "gAAAAABcanarytokencanarytokencanarytoken_-"
SECRET = "canarysecretcanarysecretcanarysecret"
KEY_ID = "4f0c3d8e9b5a4c7e8f1a2b3c4d5e6f70"
USER_ID = "9a8b7c6d5e4f40302010aabbccddeeff"
PROXY_PASSWORD = "canaryproxypassword"
CANARIES = (TOKEN, SECRET, PROXY_PASSWORD)


def token_body(**changes: object) -> dict[str, object]:
    """The body of an issued token; `changes` replace members of `token`."""
    token: dict[str, object] = {
        "methods": ["application_credential"],
        "user": {
            "domain": {"id": "d1", "name": "acme"},
            "id": USER_ID,
            "name": "robot",
            "password_expires_at": None,
        },
        "project": {"domain": {"id": "d1", "name": "acme"}, "id": "p1", "name": "shop"},
        "roles": [{"id": "r1", "name": "member"}, {"id": "r2", "name": "reader"}],
        "catalog": [],
        "issued_at": "2026-10-02T08:00:00.000000Z",
        "expires_at": "2026-10-02T20:00:00.000000Z",
        "audit_ids": ["3T2dc1CGQxyJsHdDu1xkcw"],
        "application_credential": {"id": KEY_ID, "name": "key", "restricted": True, "expires_at": None},
    }
    return {"token": {**token, **changes}}


def key_body(**changes: object) -> bytes:
    """An access key as its owner sees it; `changes` replace members, `...` takes one away."""
    key: dict[str, object] = {
        "id": KEY_ID,
        "name": "key",
        "description": None,
        "user_id": USER_ID,
        "project_id": "p1",
        "system": None,
        "expires_at": None,
        "unrestricted": None,
        "roles": [{"id": "r1", "name": "member", "domain_id": None, "description": None, "options": {}}],
        "links": {"self": "x"},
    }
    members = {name: value for name, value in (key | changes).items() if value is not ...}
    return json.dumps({"application_credential": members}).encode()


def error_body(code: int, message: str = f"no {TOKEN}") -> bytes:
    """Keystone's own error; its message may hold the token, as one of the real ones does."""
    return json.dumps({"error": {"code": code, "message": message, "title": "Some Title"}}).encode()


def project_page(*ids: str, following: str | None = None) -> bytes:
    """A page of the project list."""
    rows = [{"id": i, "name": f"name of {i}", "domain_id": "d1", "enabled": True} for i in ids]
    return json.dumps(
        {"projects": rows, "links": {"next": following, "self": "x", "previous": None}}
    ).encode()


def reply(status: str, body: bytes = b"", *headers: str) -> bytes:
    """An HTTP/1.1 answer as bytes."""
    lines = [
        f"HTTP/1.1 {status}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        *headers,
        "",
        "",
    ]
    return "\r\n".join(lines).encode() + body


def issued(*headers: str, **changes: object) -> bytes:
    """The answer to a request for a token."""
    return reply(
        "201 CREATED", json.dumps(token_body(**changes)).encode(), f"X-Subject-Token: {TOKEN}", *headers
    )
