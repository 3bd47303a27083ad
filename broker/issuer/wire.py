"""Keystone's JSON to the broker's values and back; pure.

- Two bodies leave, exactly those of KakaoCloud's two methods: Keystone answers 401 to anything more, as `scope`.
- A token is accepted only from a 201 with a token in its header and a full, consistent body; half a token is none.
- Whatever arrives, the only exception is IamError; it is raised outside the handler of its cause, because a decoder's
  error carries the whole body along.
"""

import json
import re
from datetime import UTC, datetime
from typing import NoReturn

from broker.core.errors import Fault, IamError
from broker.core.model import AccessKey, KeyById, Named, Reply, Row, Token
from broker.core.secret import Secret
from broker.core.timing import FLOOR, lifetime
from broker.issuer.headers import Headers, date, sole

_VISIBLE = re.compile(r"[!-~]+")
# Ids go into paths, logs and comparisons; "." and ".." would walk in a path.
_ID = re.compile(r"(?!\.{1,2}\Z)[!-~]+")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:?[0-9]{2})?"
)


def issue_body(key: AccessKey) -> bytes:
    """The request for a token: method 1 or 2 as KakaoCloud documents them."""
    if isinstance(key, KeyById):
        credential: dict[str, object] = {"id": key.id, "secret": key.secret.reveal()}
    else:
        credential = {"name": key.name, "secret": key.secret.reveal(), "user": {"id": key.user_id}}
    identity = {"methods": ["application_credential"], "application_credential": credential}
    return json.dumps({"auth": {"identity": identity}}, separators=(",", ":")).encode()


def parse_reply(status: int, headers: Headers, body: bytes, sent_at: float) -> Reply:
    """The token in IAM's answer to `issue_body`; `sent_at` is when the request left, on the broker's clock."""
    if status != 201:
        _odd(f"it is {status} where a new token is 201")
    value = sole(headers, "X-Subject-Token") or ""
    if not _VISIBLE.fullmatch(value):
        _odd("it has no usable X-Subject-Token header")
    token = _object(_document(body), "token")
    issued_at, expires_at = _text(token, "issued_at"), _text(token, "expires_at")
    issued, expires = _instant(issued_at), _instant(expires_at)
    if issued is None or expires is None or expires <= issued:
        _odd("its issued_at and expires_at do not make a lifetime")
    iam_clock = date(headers)
    life = lifetime(issued, expires, iam_clock)
    if life <= FLOOR:
        _odd("it is a token that has already ended")
    secret = Secret(value)
    parsed = Token(
        value=secret,
        digest=secret.sha256(),
        issued_at=issued_at,
        expires_at=expires_at,
        user=_named(_object(token, "user")),
        project=_named(_object(token, "project")),
        roles=_roles(token),
        key_expires_at=_key_end(token),
        body=body,
    )
    return Reply(token=parsed, lifetime=life, sent_at=sent_at, date=iam_clock)


def parse_validity(status: int, body: bytes) -> frozenset[str]:
    """The ids of the roles that a living token has now."""
    if status != 200:
        _odd(f"it is {status} where a living token is 200")
    return frozenset(role.id for role in _roles(_object(_document(body), "token")))


def parse_projects(body: bytes) -> tuple[tuple[Row, ...], str | None]:
    """One page of the project list and the link to the next, as IAM wrote it."""
    document = _document(body)
    projects = tuple(_project(row) for row in _rows(document, "projects"))
    links = {} if document.get("links") is None else _object(document, "links")
    return projects, None if links.get("next") is None else _text(links, "next")


def is_keystone_error(body: bytes, code: int) -> bool:
    """Whether a body is Keystone's own error of that code, and not some page of a server in between."""
    document = _json_object(body) or {}
    error = document.get("error")
    return (
        isinstance(error, dict)
        # `True == 1`, and other KakaoCloud services write their codes as texts.
        and type(error.get("code")) is int
        and error["code"] == code
        and isinstance(error.get("title"), str)
        and isinstance(error.get("message"), str)
    )


def _odd(what: str) -> NoReturn:
    raise IamError(
        Fault.PROTOCOL, f"IAM's answer is not understood: {what}; check that iam.url is KakaoCloud's Keystone"
    )


def _refuse_constant(_: str) -> NoReturn:
    raise ValueError("NaN and Infinity are not JSON")


def _json_object(body: bytes) -> dict[str, object] | None:
    try:
        document = json.loads(body.decode(), parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def _document(body: bytes) -> dict[str, object]:
    document = _json_object(body)
    if document is None:
        _odd("its body is not a JSON object")
    return document


def _object(parent: dict[str, object], key: str) -> dict[str, object]:
    value = parent.get(key)
    if not isinstance(value, dict):
        _odd(f"its {key} is not an object")
    return value


def _rows(parent: dict[str, object], key: str) -> list[dict[str, object]]:
    rows = parent.get(key)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        _odd(f"its {key} is not a list of objects")
    return rows


def _text(parent: Row, key: str) -> str:
    value = parent.get(key)
    # JSON can spell half a character, which no later encoder could write.
    if not isinstance(value, str) or _SURROGATE.search(value):
        _odd(f"its {key} is not a text")
    return value


def _named(row: Row) -> Named:
    if not _ID.fullmatch(ident := _text(row, "id")):
        _odd("it has an id that is no id")
    return Named(ident, _text(row, "name"))


def _roles(token: dict[str, object]) -> tuple[Named, ...]:
    return tuple(_named(row) for row in _rows(token, "roles"))


def _project(row: Row) -> Row:
    _named(row)
    return row


def _instant(text: str) -> datetime | None:
    """A time as Keystone writes it; without an offset it is UTC."""
    if not _INSTANT.fullmatch(text):
        return None
    try:
        when = datetime.fromisoformat(text)
        return when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _key_end(token: dict[str, object]) -> str | None:
    """The access key's own end. Whether KakaoCloud tells it is unknown, so nonsense here costs no token."""
    credential = token.get("application_credential")
    end = credential.get("expires_at") if isinstance(credential, dict) else None
    return end if isinstance(end, str) and _instant(end) is not None else None
