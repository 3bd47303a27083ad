"""A token in Keystone's answers: a new one, and one that is looked at; pure.

- A token is accepted only from a 201 with a token in its header and a full, consistent body; half a token is none.
- What the body says of the access key is a bonus: whether KakaoCloud tells it is unknown, so nonsense there costs no
  token and counts as not told.
"""

import re

from broker.core.model import Named, Reply, Token, Validity
from broker.core.secret import Secret
from broker.core.timing import FLOOR, lifetime
from broker.issuer.document import (
    Document,
    document_of,
    instant,
    is_id,
    named,
    object_at,
    odd,
    rows_at,
    text_at,
)
from broker.outward.headers import Headers, date, sole

_VISIBLE = re.compile(r"[!-~]+")


def parse_reply(status: int, headers: Headers, body: bytes, sent_at: float) -> Reply:
    """The token that was asked for with a key; `sent_at` is when the request left, on the broker's clock."""
    if status != 201:
        odd(f"it is {status} where a new token is 201")
    value = sole(headers, "X-Subject-Token") or ""
    if not _VISIBLE.fullmatch(value):
        odd("it has no usable X-Subject-Token header")
    token = object_at(document_of(body), "token")
    issued, expires = instant(text_at(token, "issued_at")), instant(text_at(token, "expires_at"))
    if issued is None or expires is None or expires <= issued:
        odd("its issued_at and expires_at do not make a lifetime")
    iam_clock = date(headers)
    life = lifetime(issued, expires, iam_clock)
    if life <= FLOOR:
        odd("it is a token that has already ended")
    found = _token(token, Secret(value), body)
    if any(
        found.value.is_in(text.encode(errors="surrogatepass"))
        for thing in (found.user, found.project, *found.roles)
        for text in (thing.id, thing.name)
    ):
        # Names are shown to whoever may see an identity, and stand in the log.
        odd("a name in it is the token itself")
    return Reply(token=found, lifetime=life, sent_at=sent_at, date=iam_clock)


def parse_validity(status: int, headers: Headers, body: bytes) -> Validity:
    """What a living token has now."""
    if status != 200:
        odd(f"it is {status} where a living token is 200")
    roles = _roles(object_at(document_of(body), "token"))
    return Validity(roles=frozenset(role.id for role in roles), date=date(headers))


def _token(token: Document, value: Secret, body: bytes) -> Token:
    told = token.get("application_credential")
    credential: Document = told if isinstance(told, dict) else {}
    key_id, restricted = credential.get("id"), credential.get("restricted")
    return Token(
        value=value,
        digest=value.sha256(),
        issued_at=text_at(token, "issued_at"),
        expires_at=text_at(token, "expires_at"),
        user=named(object_at(token, "user")),
        project=named(object_at(token, "project")),
        roles=_roles(token),
        key_expires_at=_key_end(credential),
        body=body,
        key_id=key_id if isinstance(key_id, str) and is_id(key_id) else None,
        restricted=restricted if isinstance(restricted, bool) else None,
        # An empty list would be rules that allow nothing; Keystone 30 keeps none, and then leaves the member out.
        access_rules=isinstance(credential.get("access_rules"), list),
    )


def _roles(token: Document) -> tuple[Named, ...]:
    return tuple(named(row) for row in rows_at(token, "roles"))


def _key_end(credential: Document) -> str | None:
    end = credential.get("expires_at")
    return end if isinstance(end, str) and instant(end) is not None else None
