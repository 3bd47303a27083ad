"""The things the broker handles, as frozen values in Keystone's words.

Times that IAM wrote stay the strings it wrote, so that they can be passed on untouched; what the broker computes with
is seconds on its own clock (see `timing`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from broker.core.secret import Secret
from broker.core.timing import Span


@dataclass(frozen=True, slots=True)
class Named:
    """A user, project or role: what Keystone names by id and shows by name."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class KeyById:
    """An access key (Keystone: application credential) by its id: KakaoCloud's method 1."""

    id: str
    secret: Secret

    @property
    def label(self) -> str:
        """What people call this key; no secret."""
        return self.id

    @property
    def ref(self) -> str:
        """Which key of IAM's this is, whatever its secret; no secret itself."""
        return self.id


@dataclass(frozen=True, slots=True)
class KeyByName:
    """An access key by its name and its owner's user id: KakaoCloud's method 2."""

    name: str
    user_id: str
    secret: Secret

    @property
    def label(self) -> str:
        """What people call this key; no secret."""
        return self.name

    @property
    def ref(self) -> str:
        """Which key of IAM's this is, whatever its secret; no secret itself."""
        return f"{self.user_id}/{self.name}"


AccessKey = KeyById | KeyByName


@dataclass(frozen=True, slots=True)
class Token:
    """An API token as IAM issued it."""

    value: Secret
    digest: str  # SHA-256 of the value, in hex: names the token in logs, ETags and reports
    issued_at: str  # as IAM wrote it
    expires_at: str  # as IAM wrote it
    user: Named
    project: Named
    roles: tuple[Named, ...]
    key_expires_at: str | None  # the access key's own end, where IAM tells it
    body: bytes = field(repr=False)  # IAM's whole answer, to be passed on; the token itself is not in it
    key_id: str | None = None  # IAM's id of the access key, where the answer names it
    restricted: bool | None = None  # False: may make and delete access keys; None: not told
    access_rules: bool = False  # the key may do only what rules allow: it cannot validate its own tokens


@dataclass(frozen=True, slots=True)
class Reply:
    """A token together with what its reply says of time."""

    token: Token
    lifetime: float  # seconds, see timing.lifetime
    sent_at: float  # seconds on the broker's clock when the request left
    date: datetime | None  # IAM's clock, from the `Date` header


@dataclass(frozen=True, slots=True)
class Held:
    """A token with the phases of its life."""

    token: Token
    span: Span


@dataclass(frozen=True, slots=True)
class Validity:
    """What IAM says of a token that lives."""

    roles: frozenset[str]  # ids of the roles that it has now
    date: datetime | None  # IAM's clock, from the `Date` header


@dataclass(frozen=True, slots=True)
class KeyFacts:
    """What IAM says of the access key itself."""

    expires_at: str | None  # as IAM wrote it; None: it does not end
    restricted: bool | None  # False: may make and delete access keys; None: not told
    access_rules: bool


@dataclass(frozen=True, slots=True)
class Passed:
    """An answer of IAM that is passed on as it is, whatever it says."""

    status: int
    kind: str | None  # its Content-Type
    retry_after: str | None  # as IAM wrote it
    body: bytes = field(repr=False)


# One row of a list, such as the user's projects, as Keystone gave it; `id` and `name` are texts.
Row = Mapping[str, object]
