"""The project list: all pages, one origin, an end."""

import asyncio

import pytest

from broker.core.errors import Fault
from broker.issuer import keystone as rules
from tests.issuer.asking import asking, failure, token
from tests.issuer.replies import TOKEN, USER_ID, project_page, reply
from tests.issuer.scripted import Server, hang, scripted

LIST = f"/identity/v3/users/{USER_ID}/projects"


def page(*ids: str, following: str | None = None) -> bytes:
    return reply("200 OK", project_page(*ids, following=following))


def first_line(request: bytes) -> str:
    return request.split(b"\r\n", 1)[0].decode()


async def test_pages_are_followed_on_our_own_origin():
    """An IAM behind a gateway writes its inner host into the link; the token goes to ours."""
    inner = f"http://keystone.internal:5000{LIST}?marker=p2"
    pages = page("p1", "p2", following=inner), page("p3")
    seen: list[tuple[str, str, float]] = []
    async with scripted(*pages) as server, asking(server.url, seen) as keystone:
        rows = await keystone.projects(token())
    assert [row["id"] for row in rows] == ["p1", "p2", "p3"]
    assert [first_line(request) for request in server.requests] == [
        f"GET {LIST} HTTP/1.1",
        f"GET {LIST}?marker=p2 HTTP/1.1",
    ]
    for request in server.requests:
        assert f"\r\nX-Auth-Token: {TOKEN}\r\n".encode() in request
        assert b"X-Subject-Token" not in request
    assert seen == [("projects", "ok", 1.0)] * 2


async def test_a_user_id_cannot_change_the_path():
    async with scripted(page()) as server, asking(server.url) as keystone:
        assert await keystone.projects(token("a/../b?c")) == ()
    assert first_line(server.requests[0]) == "GET /identity/v3/users/a%2F..%2Fb%3Fc/projects HTTP/1.1"


@pytest.mark.parametrize("link", ["https://evil.example/steal", "/other/v3/users", "/identity/v3/../x"])
async def test_a_link_out_of_iam_is_not_followed(link: str):
    async with scripted(page("p1", following=link)) as server, asking(server.url) as keystone:
        await failure(keystone.projects(token()), Fault.PROTOCOL)
    assert len(server.requests) == 1


async def test_a_list_that_bites_its_tail_is_refused():
    pages = page("p1", following=f"{LIST}?marker=p1"), page("p2", following=LIST)
    async with scripted(*pages) as server, asking(server.url) as keystone:
        await failure(keystone.projects(token()), Fault.PROTOCOL)
    assert len(server.requests) == 2


async def test_a_list_without_end_is_refused():
    async def another(server: Server, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        count = len(server.requests)
        writer.write(page(f"p{count}", following=f"{LIST}?marker={count}"))

    async with scripted(another) as server, asking(server.url) as keystone:
        error = await failure(keystone.projects(token()), Fault.PROTOCOL)
    assert "does not end" in error.detail
    assert len(server.requests) == rules.MAX_PAGES


async def test_a_list_of_too_many_rows_is_refused():
    many = page(*(f"p{number}" for number in range(rules.MAX_ROWS + 1)))
    async with scripted(many) as server, asking(server.url) as keystone:
        error = await failure(keystone.projects(token()), Fault.PROTOCOL)
    assert "10,000" in error.detail


async def test_all_pages_share_one_deadline(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(rules, "LIST_PATIENCE", 0.01)
    async with scripted(hang) as server, asking(server.url, patience=10) as keystone:
        async with asyncio.timeout(5):
            await failure(keystone.projects(token()), Fault.UNAVAILABLE)
