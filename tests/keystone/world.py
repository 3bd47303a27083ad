"""The `World` of a real Keystone, bent through Keystone's own admin API.

- Only its owner may create an access key, so each user has a password, which the world remembers.
- Changing a password and disabling a user revoke by user, which also kills tokens issued later in the same second,
  since Keystone floors their `issued_at`. Those two acts return when that second is over, so that a test's next
  token is good; with `settle=False` they return at once, for a test of this very trap.
- Deleting is the admin's, since a disabled owner cannot log in.
"""

import asyncio
import secrets
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.contracts.world import Key, Principal
from tests.keystone.admin import Admin
from tests.keystone.process import Keystone

ACCESS_RULE = {"path": "/v2.1/servers", "method": "GET", "service": "compute"}


class KeystoneWorld:
    """A running Keystone that a test can bend."""

    name = "keystone"

    def __init__(self, process: Keystone) -> None:
        self.process = process
        self._passwords: dict[str, str] = {}
        self._role_ids: dict[str, str] = {}
        self._admin = Admin(process)

    @property
    def url(self) -> str:
        return self.process.serving.url

    @property
    def ca_file(self) -> str | None:
        return str(self.process.tls.ca_file) if self.process.tls else None

    async def add_user(self, *roles: str) -> Principal:
        name, password = f"user-{secrets.token_hex(4)}", secrets.token_urlsafe()
        project = await self._add_project()
        new = {"name": name, "domain_id": self.process.serving.domain_id, "password": password}
        user = (await self._admin("POST", "/users", {"user": new}))["user"]
        self._passwords[user["id"]] = password
        who = Principal(user["id"], name, project["id"], project["name"])
        for role in roles or ("member",):
            await self.add_role(who, role)
        return who

    async def add_key(
        self,
        owner: Principal,
        *,
        lifetime: float | None = None,
        access_rules: bool | Sequence[Mapping[str, str]] = False,
        unrestricted: bool | None = None,
    ) -> Key:
        """`access_rules` may be the very rules, also none at all."""
        wanted: dict[str, object] = {"name": f"key-{secrets.token_hex(4)}"}
        if lifetime is not None:
            end = datetime.now(UTC) + timedelta(seconds=lifetime)
            wanted["expires_at"] = f"{end:%Y-%m-%dT%H:%M:%S.%fZ}"
        if access_rules is not False:
            wanted["access_rules"] = [ACCESS_RULE] if access_rules is True else list(access_rules)
        if unrestricted is not None:
            wanted["unrestricted"] = unrestricted
        path = f"/users/{owner.user_id}/application_credentials"
        body = {"application_credential": wanted}
        password = self._passwords[owner.user_id]
        answer = await self._admin.as_user(owner.user_id, password, owner.project_id, path, body)
        made = answer["application_credential"]
        return Key(made["id"], made["name"], owner.user_id, made["secret"])

    async def delete_key(self, key: Key) -> None:
        await self._admin("DELETE", f"/users/{key.user_id}/application_credentials/{key.id}")

    async def add_role(self, who: Principal, role: str) -> None:
        await self._admin("PUT", await self._grant(who.project_id, who.user_id, role))

    async def remove_role(self, who: Principal, role: str) -> None:
        await self._admin("DELETE", await self._grant(who.project_id, who.user_id, role))

    async def set_user_enabled(self, who: Principal, *, enabled: bool, settle: bool = True) -> None:
        await self._admin("PATCH", f"/users/{who.user_id}", {"user": {"enabled": enabled}})
        if settle and not enabled:
            await _outlive_second()

    async def set_project_enabled(self, who: Principal, *, enabled: bool) -> None:
        await self._admin("PATCH", f"/projects/{who.project_id}", {"project": {"enabled": enabled}})

    async def change_password(self, who: Principal, *, settle: bool = True) -> None:
        password = secrets.token_urlsafe()
        await self._admin("PATCH", f"/users/{who.user_id}", {"user": {"password": password}})
        self._passwords[who.user_id] = password
        if settle:
            await _outlive_second()

    async def remove_user(self, who: Principal) -> None:
        await self._admin("DELETE", f"/users/{who.user_id}")

    async def remove_project(self, who: Principal) -> None:
        await self._admin("DELETE", f"/projects/{who.project_id}")

    async def join_project(self, who: Principal) -> str:
        project = await self._add_project()
        await self._admin("PUT", await self._grant(project["id"], who.user_id, "member"))
        return str(project["id"])

    async def revoke(self, token: str) -> None:
        await self._admin("DELETE", "/auth/tokens", headers={"X-Subject-Token": token})

    async def issue_requests(self) -> int:
        return int((await self._admin.own_question("counts"))["requests"])

    async def issued(self) -> int:
        return int((await self._admin.own_question("counts"))["issued"])

    async def issue_times(self) -> list[float]:
        """When each 201 was given, in Unix seconds that never step back."""
        return list(await self._admin.own_question("issues"))

    async def _add_project(self) -> dict[str, Any]:
        new = {"name": f"project-{secrets.token_hex(4)}", "domain_id": self.process.serving.domain_id}
        return dict((await self._admin("POST", "/projects", {"project": new}))["project"])

    async def _grant(self, project_id: str, user_id: str, role: str) -> str:
        """The path of a role assignment; the role is made when there is none of that name."""
        if role not in self._role_ids:
            await self._admin("POST", "/roles", {"role": {"name": role}}, fine=(201, 409))
            self._role_ids[role] = (await self._admin("GET", f"/roles?name={role}"))["roles"][0]["id"]
        return f"/projects/{project_id}/users/{user_id}/roles/{self._role_ids[role]}"


async def _outlive_second() -> None:
    await asyncio.sleep(1.01 - time.time() % 1)
