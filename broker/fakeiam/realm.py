"""Who exists: users, projects, roles and access keys; no I/O, and time only from the clock it is given.

Rules, as Keystone 30 has them:

- A key is a snapshot: roles given to its owner later are not in it, roles taken away are lost to it.
- Disabling a user or changing its password kills the tokens issued up to that second for good; a disabled project
  that is enabled again has its old tokens back.
- A deleted user takes its keys along; a deleted project leaves its keys behind, good for nothing.
"""

from collections.abc import Callable, Iterable, Sized
from datetime import UTC, datetime, timedelta
from typing import Final

from broker.fakeiam.model import AccessRule, Key, Project, User, new_id, new_secret

# Far above any test or demo; the control API must not be able to eat the host's memory.
MOST: Final = 100_000


class UnknownError(LookupError):
    """No such user, project or key in the realm; the text is a sentence for people."""


def utc_now() -> datetime:
    """The wall clock, the default for a realm that a person talks to."""
    return datetime.now(UTC)


class Realm:
    """The directory of one emulated IAM; `clock` returns aware UTC datetimes."""

    def __init__(self, clock: Callable[[], datetime] = utc_now) -> None:
        self.clock = clock
        self.domain_id = new_id()
        self.domain_name = "fake-organization"
        self.users: dict[str, User] = {}
        self.projects: dict[str, Project] = {}
        self.keys: dict[str, Key] = {}
        self._named_ids: dict[str, str] = {}

    def named_id(self, name: str) -> str:
        """The id that goes with a name (a role's, a service's), made at its first use."""
        if name not in self._named_ids:
            _make_room(self._named_ids)
            self._named_ids[name] = new_id()
        return self._named_ids[name]

    def add_user(self, *roles: str, name: str | None = None) -> User:
        """Make a user with a project of its own and these roles in it (`member` when none is named)."""
        project = self._add_project(f"{name}-project" if name else None)
        user_id = new_id()
        user = User(
            user_id, name or f"user-{user_id[:8]}", project.id, {project.id: set(roles or ("member",))}
        )
        _make_room(self.users)
        self.users[user_id] = user
        return user

    def join_project(self, user_id: str, *roles: str) -> Project:
        """Give the user these roles (`member`) in one more project."""
        user = self.user(user_id)
        project = self._add_project(None)
        user.roles[project.id] = set(roles or ("member",))
        return project

    def add_key(
        self,
        user_id: str,
        *,
        key_id: str | None = None,
        secret: str | None = None,
        name: str | None = None,
        lifetime: float | None = None,
        access_rules: Iterable[AccessRule] = (),
        unrestricted: bool | None = None,
    ) -> Key:
        """Make an access key of all the user's present roles at home; `lifetime` in seconds.

        No rules are no limits: Keystone keeps an empty list as none.
        """
        user = self.user(user_id)
        key_id = key_id or new_id()
        name = name or f"key-{key_id[:8]}"
        if key_id in self.keys or any(
            key.name == name and key.user_id == user_id for key in self.keys.values()
        ):
            raise ValueError(
                f"the user has a key with the id {key_id} or the name {name} already; choose others"
            )
        key = Key(
            id=key_id,
            name=name,
            user_id=user_id,
            project_id=self.project(user.home).id,
            roles=frozenset(user.roles.get(user.home, ())),
            secret=secret or new_secret(),
            expires_at=None if lifetime is None else self.clock() + timedelta(seconds=lifetime),
            access_rules=tuple(access_rules),
            unrestricted=unrestricted,
        )
        _make_room(self.keys)
        self.keys[key_id] = key
        return key

    def user(self, user_id: str) -> User:
        """The user, or UnknownError."""
        try:
            return self.users[user_id]
        except KeyError:
            raise UnknownError(f"there is no user {user_id}") from None

    def project(self, project_id: str) -> Project:
        """The project, or UnknownError."""
        try:
            return self.projects[project_id]
        except KeyError:
            raise UnknownError(f"there is no project {project_id}") from None

    def delete_key(self, key_id: str) -> None:
        """Delete an access key; its tokens die at once."""
        if self.keys.pop(key_id, None) is None:
            raise UnknownError(f"there is no key {key_id}")

    def delete_user(self, user_id: str) -> None:
        """Delete a user with its keys."""
        self.user(user_id)
        del self.users[user_id]
        self.keys = {i: key for i, key in self.keys.items() if key.user_id != user_id}

    def delete_project(self, project_id: str) -> None:
        """Delete a project with the roles in it."""
        self.project(project_id)
        del self.projects[project_id]
        for user in self.users.values():
            user.roles.pop(project_id, None)

    def set_user_enabled(self, user_id: str, *, enabled: bool) -> None:
        """Enable or disable a user; disabling kills the tokens it has for good."""
        user = self.user(user_id)
        user.enabled = enabled
        if not enabled:
            user.revoked_before = self.clock()

    def set_project_enabled(self, project_id: str, *, enabled: bool) -> None:
        """Enable or disable a project; its tokens are dead while it is disabled."""
        self.project(project_id).enabled = enabled

    def change_password(self, user_id: str) -> None:
        """Kill the user's tokens as a changed password does; its keys stay good."""
        self.user(user_id).revoked_before = self.clock()

    def add_role(self, user_id: str, role: str, project_id: str | None = None) -> None:
        """Give a role in a project (at home when none is named)."""
        user = self.user(user_id)
        user.roles.setdefault(self.project(project_id or user.home).id, set()).add(role)

    def remove_role(self, user_id: str, role: str, project_id: str | None = None) -> None:
        """Take a role away; UnknownError when the user does not have it."""
        user = self.user(user_id)
        project_id = project_id or user.home
        if role not in user.roles.get(project_id, ()):
            raise UnknownError(f"the user {user_id} has no role {role} in the project {project_id}")
        user.roles[project_id].remove(role)
        if not user.roles[project_id]:
            del user.roles[project_id]

    def projects_of(self, user_id: str) -> list[Project]:
        """The projects in which the user has a role."""
        return [self.projects[i] for i in self.user(user_id).roles if i in self.projects]

    def _add_project(self, name: str | None) -> Project:
        project_id = new_id()
        project = Project(project_id, name or f"project-{project_id[:8]}")
        _make_room(self.projects)
        self.projects[project_id] = project
        return project


def _make_room(shelf: Sized) -> None:
    if len(shelf) >= MOST:
        raise ValueError(f"the emulator holds at most {MOST} of each kind; delete some or start it anew")
