"""The emulator as a `World`; `iam` below it is the emulator itself, for faults and whatever else a test bends.

- Its counters count a request when it arrives, so that reset and hanging ones are seen too.
- A revocation by user also kills tokens issued later in the same second. The two acts that cause one spare the
  test that trap, without waiting; with `settle=False` it is there, as in Keystone.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Self

import trustme

from broker.fakeiam.model import AccessRule, new_id
from broker.fakeiam.realm import utc_now
from broker.fakeiam.server import FakeIam
from tests.contracts.world import Key, Principal


class FakeWorld:
    """An in-process emulator that a test can bend."""

    def __init__(self, iam: FakeIam, url: str, ca_file: str | None) -> None:
        self.iam = iam
        self._url = url
        self._ca_file = ca_file

    @classmethod
    @asynccontextmanager
    async def serving(
        cls,
        *,
        life: float = 12 * 3600.0,
        clock: Callable[[], datetime] = utc_now,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        ssl_context: ssl.SSLContext | None = None,
        ca_file: str | None = None,
    ) -> AsyncIterator[Self]:
        """Serve one on a free port; `life` in seconds; for TLS see `private_tls`."""
        iam = FakeIam(life=life, clock=clock, sleep=sleep)
        async with iam.serve(ssl_context=ssl_context) as url:
            yield cls(iam, url, ca_file)

    @property
    def name(self) -> str:
        return "fakeiam"

    @property
    def url(self) -> str:
        return self._url

    @property
    def ca_file(self) -> str | None:
        return self._ca_file

    async def add_user(self, *roles: str) -> Principal:
        user = self.iam.realm.add_user(*roles)
        project = self.iam.realm.project(user.home)
        return Principal(user.id, user.name, project.id, project.name)

    async def add_key(
        self,
        owner: Principal,
        *,
        lifetime: float | None = None,
        access_rules: bool = False,
        unrestricted: bool | None = None,
    ) -> Key:
        rules = [AccessRule(new_id())] if access_rules else []
        key = self.iam.realm.add_key(
            owner.user_id, lifetime=lifetime, access_rules=rules, unrestricted=unrestricted
        )
        return Key(key.id, key.name, key.user_id, key.secret)

    async def delete_key(self, key: Key) -> None:
        self.iam.realm.delete_key(key.id)

    async def add_role(self, who: Principal, role: str) -> None:
        self.iam.realm.add_role(who.user_id, role, who.project_id)

    async def remove_role(self, who: Principal, role: str) -> None:
        self.iam.realm.remove_role(who.user_id, role, who.project_id)

    async def set_user_enabled(self, who: Principal, *, enabled: bool, settle: bool = True) -> None:
        self.iam.realm.set_user_enabled(who.user_id, enabled=enabled)
        if settle and not enabled:
            self._settle(who)

    async def set_project_enabled(self, who: Principal, *, enabled: bool) -> None:
        self.iam.realm.set_project_enabled(who.project_id, enabled=enabled)

    async def change_password(self, who: Principal, *, settle: bool = True) -> None:
        self.iam.realm.change_password(who.user_id)
        if settle:
            self._settle(who)

    async def remove_user(self, who: Principal) -> None:
        self.iam.realm.delete_user(who.user_id)

    async def remove_project(self, who: Principal) -> None:
        self.iam.realm.delete_project(who.project_id)

    async def join_project(self, who: Principal) -> str:
        return self.iam.realm.join_project(who.user_id).id

    async def revoke(self, token: str) -> None:
        self.iam.tokens.revoke(token)

    async def issue_requests(self) -> int:
        return self.iam.counters.issue_requests

    async def issued(self) -> int:
        return self.iam.counters.issued

    def _settle(self, who: Principal) -> None:
        self.iam.tokens.revoke_user(who.user_id)
        self.iam.realm.user(who.user_id).revoked_before = None


def private_tls(folder: Path) -> tuple[ssl.SSLContext, str]:
    """A server's context for 127.0.0.1 and localhost, and the file with the CA that signed it."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)
    ca_file = folder / "fake-iam-ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    return context, str(ca_file)
