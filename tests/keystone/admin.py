"""Keystone's own API as its admin and its users speak it, with passwords; the world is built on it.

- Each call logs in anew and opens its own connection: no token outlives a short life, and no event loop is kept.
- A refusal names the method, the path and the status only: some of Keystone's messages contain the token.
"""

import ssl
from typing import Any

import aiohttp

from tests.keystone.process import Keystone

FINE = (200, 201, 204)


class ActError(Exception):
    """Keystone refused what a test wanted done to it."""


class Admin:
    """Calls to one Keystone, as the admin or as a user."""

    def __init__(self, process: Keystone) -> None:
        self._process = process
        self._tls = ssl.create_default_context(cafile=process.tls.ca_file) if process.tls else None

    async def __call__(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        headers: dict[str, str] | None = None,
        fine: tuple[int, ...] = FINE,
    ) -> Any:  # noqa: ANN401 - JSON of many shapes
        """Ask as the admin; the answer's JSON, None when it has no body."""
        own = self._process.serving
        token = await self._log_in(own.admin_user_id, self._process.password, own.admin_project_id)
        return await self._ask(
            method, path, body, headers={"X-Auth-Token": token, **(headers or {})}, fine=fine
        )

    async def as_user(self, user_id: str, password: str, project_id: str, path: str, body: object) -> Any:  # noqa: ANN401 - as above
        """POST as that user: some things only an owner may make."""
        token = await self._log_in(user_id, password, project_id)
        return await self._ask("POST", path, body, headers={"X-Auth-Token": token}, fine=FINE)

    async def own_question(self, name: str) -> Any:  # noqa: ANN401 - as above
        """Ask the layer before Keystone what it has counted."""
        async with aiohttp.ClientSession() as session:
            url = f"{self._process.serving.root}/_test/{name}"
            async with session.get(url, ssl=self._tls or True) as answer:
                return await answer.json()

    async def _log_in(self, user_id: str, password: str, project_id: str) -> str:
        who = {"methods": ["password"], "password": {"user": {"id": user_id, "password": password}}}
        body = {"auth": {"identity": who, "scope": {"project": {"id": project_id}}}}
        url = f"{self._process.serving.url}/auth/tokens"
        async with (
            aiohttp.ClientSession() as session,
            session.post(url, json=body, ssl=self._tls or True) as answer,
        ):
            if answer.status != 201:
                raise ActError(f"a password login was answered {answer.status}")
            return answer.headers["X-Subject-Token"]

    async def _ask(
        self, method: str, path: str, body: object, *, headers: dict[str, str], fine: tuple[int, ...]
    ) -> Any:  # noqa: ANN401 - as above
        url = f"{self._process.serving.url}{path}"
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, url, json=body, headers=headers, ssl=self._tls or True) as answer,
        ):
            if answer.status not in fine:
                raise ActError(f"{method} {path} was answered {answer.status}")
            return await answer.json() if answer.content_length else None
