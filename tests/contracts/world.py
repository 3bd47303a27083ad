"""What a test may do to an IAM, whichever it is: the emulator and a real Keystone both offer this.

The words are Keystone's. Every act takes effect before the call returns, so that a test never waits for it.
"""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Principal:
    """A user with roles in one project."""

    user_id: str
    user_name: str
    project_id: str
    project_name: str


@dataclass(frozen=True, slots=True)
class Key:
    """An application credential as its owner holds it; `secret` is shown once, at creation."""

    id: str
    name: str
    user_id: str
    secret: str


class World(Protocol):
    """An IAM that a test can bend."""

    @property
    def name(self) -> str:
        """`fakeiam` or `keystone`; shows in test ids."""
        ...

    @property
    def url(self) -> str:
        """The identity root that a broker is configured with, ending in `/identity/v3`."""
        ...

    @property
    def ca_file(self) -> str | None:
        """The private CA that signed the server's certificate; None when it serves plain HTTP."""
        ...

    async def add_user(self, *roles: str) -> Principal:
        """Make a user with a project of its own and these roles in it (`member` when none is named)."""
        ...

    async def add_key(
        self,
        owner: Principal,
        *,
        lifetime: float | None = None,
        access_rules: bool = False,
        unrestricted: bool | None = None,
    ) -> Key:
        """Make an access key of all the owner's roles, ending after `lifetime` seconds if that is given.

        `unrestricted` says whether it may make and delete keys; None leaves the question to IAM.
        """
        ...

    async def delete_key(self, key: Key) -> None: ...

    async def add_role(self, who: Principal, role: str) -> None: ...

    async def remove_role(self, who: Principal, role: str) -> None: ...

    async def set_user_enabled(self, who: Principal, *, enabled: bool, settle: bool = True) -> None:
        """Disabling revokes by user: without `settle`, tokens issued later in the same second are dead too."""
        ...

    async def set_project_enabled(self, who: Principal, *, enabled: bool) -> None: ...

    async def change_password(self, who: Principal, *, settle: bool = True) -> None:
        """Revokes by user, as above."""
        ...

    async def remove_user(self, who: Principal) -> None:
        """Delete the user; its access keys and tokens die with it."""
        ...

    async def remove_project(self, who: Principal) -> None:
        """Delete the project; the keys and tokens in it die with it."""
        ...

    async def join_project(self, who: Principal) -> str:
        """Give the user a role in one more project, whose id is returned; for project lists."""
        ...

    async def revoke(self, token: str) -> None: ...

    async def issue_requests(self) -> int:
        """How many `POST /auth/tokens` with an application credential it has answered, whatever the answer."""
        ...

    async def issued(self) -> int:
        """How many of those were answered 201."""
        ...
