"""What else stands in Keystone's JSON: the request for a token, projects, the access key, errors; pure.

- Two bodies leave, exactly those of KakaoCloud's two methods: Keystone answers 401 to anything more, as `scope`.
- Whatever arrives, the only exception is IamError (see `document`).
"""

import json

from broker.core.model import AccessKey, KeyById, KeyFacts, Row
from broker.issuer.document import (
    Document,
    document_of,
    instant,
    json_object,
    named,
    object_at,
    odd,
    rows_at,
    text_at,
)


def issue_body(key: AccessKey) -> bytearray:
    """The request for a token: method 1 or 2 as KakaoCloud documents them; to be wiped once it has gone out."""
    if isinstance(key, KeyById):
        credential: dict[str, object] = {"id": key.id, "secret": key.secret.reveal()}
    else:
        credential = {"name": key.name, "secret": key.secret.reveal(), "user": {"id": key.user_id}}
    identity = {"methods": ["application_credential"], "application_credential": credential}
    return bytearray(json.dumps({"auth": {"identity": identity}}, separators=(",", ":")).encode())


def parse_projects(body: bytes) -> tuple[tuple[Row, ...], str | None]:
    """One page of the project list and the link to the next, as IAM wrote it."""
    document = document_of(body)
    projects = tuple(_project(row) for row in rows_at(document, "projects"))
    links = {} if document.get("links") is None else object_at(document, "links")
    return projects, None if links.get("next") is None else text_at(links, "next")


def parse_key_facts(body: bytes) -> KeyFacts:
    """The access key, as IAM shows it to its owner.

    An end that is left out or not understood is no answer: a key must not seem to last for ever by mistake.
    """
    key = object_at(document_of(body), "application_credential")
    if "expires_at" not in key:
        odd("it does not say when the access key ends")
    ends = None if key["expires_at"] is None else text_at(key, "expires_at")
    if ends is not None and instant(ends) is None:
        odd("its expires_at is not a time")
    return KeyFacts(expires_at=ends, restricted=_restricted(key), access_rules=_has_rules(key))


def is_keystone_error(body: bytes, code: int) -> bool:
    """Whether a body is Keystone's own error of that code, and not some page of a server in between."""
    document = json_object(body) or {}
    error = document.get("error")
    return (
        isinstance(error, dict)
        # `True == 1`, and other KakaoCloud services write their codes as texts.
        and type(error.get("code")) is int
        and error["code"] == code
        and isinstance(error.get("title"), str)
        and isinstance(error.get("message"), str)
    )


def _project(row: Row) -> Row:
    named(row)
    return row


def _restricted(key: Document) -> bool | None:
    """The opposite of `unrestricted`; null, which Keystone writes where nobody asked for it, is no."""
    if "unrestricted" not in key:
        return None
    unrestricted = key["unrestricted"]
    if not isinstance(unrestricted, bool | None):
        odd("its unrestricted is neither true nor false")
    return not unrestricted


def _has_rules(key: Document) -> bool:
    """Whether there are rules at all: an empty list would allow nothing. Keystone 30 leaves it out, then."""
    rules = key.get("access_rules")
    if not isinstance(rules, list | None):
        odd("its access_rules are not a list")
    return rules is not None
