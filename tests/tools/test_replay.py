"""What programs that cannot be had here send, byte for byte, and what they look for in the answer.

- KakaoCloud's Terraform provider: its SDK asks for a token by an application credential; it wants a status below 300, JSON, the
  token's header, an `expires_at` that is RFC 3339, and five minutes of life; on a service's 401 or 403 it asks once more.
- The official lab scripts: curl, and a `grep` for the token's header in lower case.
"""

import asyncio
import re
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest

from tests.e2e.spoken import SPOKEN
from tests.keystone.world import KeystoneWorld
from tests.tools.standing import Standing, standing

pytestmark = [pytest.mark.tools, pytest.mark.keystone]

CREDENTIAL = (
    '{"auth":{"identity":{"methods":["application_credential"],'
    '"application_credential":{"id":"default","secret":"placeholder"}}}}'
)
GO = "User-Agent: Go-http-client/1.1\r\nAccept-Encoding: gzip\r\n"
_TOKEN = re.compile(rb"\r\nx-subject-token: ([!-~]+)\r\n")
_EXPIRES = re.compile(rb'"expires_at": ?"([^"]*)"')
# As KakaoCloud's documents have it, but for the address and the key.
SCRIPT = """
export API_TOKEN=$(curl -s -X POST -i $IAM/identity/v3/auth/tokens -H "Content-Type: application/json" -d \\
'{
    "auth": {
        "identity": {
            "methods": [
                "application_credential"
            ],
            "application_credential": {
                "id": "'${ACCESS_KEY}'",
                "secret": "'${SECRET_KEY}'"
            }
        }
    }
}' | grep x-subject-token | awk -v RS='\\r\\n' '{print $2}')
printf %s "$API_TOKEN"
"""


@dataclass(frozen=True, slots=True)
class Wire:
    """An answer as it came."""

    head: bytes
    body: bytes

    @property
    def status(self) -> int:
        return int(self.head.split(b" ", 2)[1])

    @property
    def token(self) -> str:
        """By its header, which must be there once and in lower case."""
        [found] = _TOKEN.findall(self.head + b"\r\n")
        SPOKEN.guard(found.decode(), "a token")
        return str(found.decode())

    @property
    def expires_at(self) -> str:
        [found] = set(_EXPIRES.findall(self.body))
        return str(found.decode())


async def sent(stands: Standing, request: str) -> Wire:
    """The answer to these bytes."""
    async with asyncio.timeout(20):
        reader, writer = await asyncio.open_connection("127.0.0.1", stands.port)
        writer.write(request.encode())
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        writer.close()
        await writer.wait_closed()
    return Wire(head, body)


async def login(stands: Standing) -> Wire:
    """The provider's request for a token."""
    head = f"POST /identity/v3/auth/tokens HTTP/1.1\r\nHost: 127.0.0.1:{stands.port}\r\n{GO}Connection: close\r\n"
    length = f"Content-Length: {len(CREDENTIAL)}\r\nContent-Type: application/json\r\n\r\n"
    return await sent(stands, head + length + CREDENTIAL)


async def keystones_expiry(stands: Standing, token: str) -> str:
    """What Keystone itself says of the token, as it stands in its answer."""
    headers = {"X-Auth-Token": token, "X-Subject-Token": token}
    url = f"{stands.world.url}/auth/tokens"
    async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as answer:
        return Wire(b"", await answer.read()).expires_at


async def test_the_terraform_providers_way(keystone_world: KeystoneWorld, tmp_path: Path) -> None:
    """Rule: the same dead token twice would end a run of Terraform; so would a time that reads otherwise than Keystone's."""
    async with standing(tmp_path, keystone_world) as stands:
        answer = await login(stands)
        assert answer.status == 201
        assert b"\r\nContent-Type: application/json" in answer.head
        assert answer.expires_at == await keystones_expiry(stands, answer.token)
        assert answer.expires_at.endswith("Z")
        assert datetime.fromisoformat(answer.expires_at) - datetime.now(UTC) > timedelta(minutes=5)
        looked = await sent(
            stands,
            f"GET /identity/v3/auth/tokens HTTP/1.1\r\nHost: 127.0.0.1:{stands.port}\r\n{GO}Connection: close\r\n"
            f"X-Auth-Token: {answer.token}\r\nX-Subject-Token: {answer.token}\r\n\r\n",
        )
        assert (looked.status, looked.token, looked.body) == (200, answer.token, answer.body)
        # A service answers 401 or 403 now, whichever it thinks fit; the provider knows no difference.
        assert await stands.revoke() == answer.token
        again = await login(stands)
        assert again.status == 201
        assert again.token != answer.token
        assert await stands.lives(again.token)
        assert again.expires_at == await keystones_expiry(stands, again.token)


async def test_a_service_that_refuses_a_living_token_changes_nothing(
    keystone_world: KeystoneWorld, tmp_path: Path
) -> None:
    """Rule: after the 403 of a missing role the provider asks once more, and has the same token, which lives."""
    async with standing(tmp_path, keystone_world) as stands:
        first, second = await login(stands), await login(stands)
        assert second.token == first.token
        assert await stands.lives(second.token)


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl here")
async def test_the_lab_scripts_way(keystone_world: KeystoneWorld, tmp_path: Path) -> None:
    """Rule: the script itself, run by bash; what it takes for a token is one, without a line end."""
    async with standing(tmp_path, keystone_world) as stands:
        where = {"IAM": f"http://127.0.0.1:{stands.port}", "ACCESS_KEY": "default", "SECRET_KEY": "any"}
        first = (await stands.run("bash", "-c", SCRIPT, **where)).out
        assert first == await stands.revoke()
        second = (await stands.run("bash", "-c", SCRIPT, **where)).out
        assert second != first
        assert await stands.lives(second)
        refused = await stands.run("bash", "-c", SCRIPT, **{**where, "SECRET_KEY": ""})
        assert refused.out == "", "no secret, no token"
