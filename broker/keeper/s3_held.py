"""S3 credentials that are held, and what they were made with."""

from dataclasses import dataclass

from broker.core.model import Held
from broker.core.s3 import S3Keys, S3Life


@dataclass(frozen=True, slots=True)
class Origin:
    """What credentials were made with."""

    token: Held
    key: str  # ref of the access key that the token came with

    @property
    def digest(self) -> str:
        """The token's SHA-256."""
        return self.token.token.digest

    def alike(self, other: "Origin") -> bool:
        """Whether the credentials of both can do the same."""
        mine, its = self.token.token, other.token.token
        same = (mine.user.id, mine.project.id, self.key) == (its.user.id, its.project.id, other.key)
        return same and {role.id for role in mine.roles} == {role.id for role in its.roles}


@dataclass(frozen=True, slots=True)
class S3Held:
    """Credentials with their life on this host."""

    keys: S3Keys
    life: S3Life
    origin: Origin
