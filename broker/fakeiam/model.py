"""The nouns of the emulated IAM, and the random values that look like the real ones.

Secrets and token texts are kept out of every `repr`. Nothing here is fixed: each start has its own values.
"""

import base64
import secrets
import uuid
from dataclasses import dataclass, field
from datetime import datetime


class RefusedError(Exception):
    """A request that IAM answers with an error; `code` is the HTTP status, the text is the message."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(slots=True)
class Project:
    """A project."""

    id: str
    name: str
    enabled: bool = True


@dataclass(slots=True)
class User:
    """A user with role names by project id; `home` is the project that its keys are made for.

    Tokens issued up to `revoked_before` are dead for good.
    """

    id: str
    name: str
    home: str
    roles: dict[str, set[str]]
    enabled: bool = True
    revoked_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class AccessRule:
    """One call that a key with access rules may make."""

    id: str
    service: str = "object-store"
    method: str = "GET"
    path: str = "/v1/**"


@dataclass(frozen=True, slots=True, eq=False)
class Key:
    """An access key (Keystone: application credential): a snapshot of its owner's roles in one project."""

    id: str
    name: str
    user_id: str
    project_id: str
    roles: frozenset[str]
    secret: str = field(repr=False)
    expires_at: datetime | None = None
    access_rules: tuple[AccessRule, ...] = ()
    unrestricted: bool | None = (
        None  # true: may make and delete keys; Keystone keeps what was asked for, also nothing
    )


@dataclass(frozen=True, slots=True, eq=False)
class Token:
    """A token as issued; it holds the very key, so that a new key with an old id revives nothing."""

    text: str = field(repr=False)
    key: Key
    issued_at: datetime
    expires_at: datetime
    audit_id: str


@dataclass(frozen=True, slots=True)
class Claim:
    """What a client says about itself: a key id, or a key name with its user id; and the secret."""

    secret: str = field(repr=False)
    key_id: str | None = None
    name: str | None = None
    user_id: str | None = None


def new_id() -> str:
    """32 hexadecimal digits, as Keystone names users, projects, roles and keys."""
    return uuid.uuid4().hex


def new_secret() -> str:
    """86 url-safe base64 characters, as KakaoCloud shows once at a key's creation."""
    return secrets.token_urlsafe(64)


def new_audit_id() -> str:
    """22 url-safe base64 characters."""
    return secrets.token_urlsafe(16)


def new_token_text() -> str:
    """A text shaped like a Fernet token: version byte 0x80 and a 64-bit time, hence `gAAAAA`; 184 characters."""
    # The time's upper bytes are zero until 2106, which is where the A's come from.
    head = b"\x80\x00\x00\x00\x00"
    return base64.urlsafe_b64encode(head + secrets.token_bytes(133)).decode()
