"""The keystoneauth1 plugin: what a session gets, and what becomes of a refused token."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from keystoneauth1 import exceptions
from keystoneauth1.loading import get_plugin_loader
from keystoneauth1.plugin import AUTH_INTERFACE
from keystoneauth1.session import Session

from broker.client.keystone import BrokerPlugin, Loader
from tests.client.answering import BODY, DEAD, FRESH, answering, kill, reports, url
from tests.client.both import TREE
from tests.client.scripted import answered, scripted
from tests.client.service import Service, service
from tests.serving.house import House

WHOLE = answered(200, {"identity": "shop", "token": "gAAAAABcanary", "body": BODY})


def session(path: Path, identity: str | None = "shop") -> Session:
    return Session(auth=BrokerPlugin(identity, f"unix://{path}", timeout=0))


@asynccontextmanager
async def called(folder: Path, *good: str) -> AsyncIterator[tuple[House, Service, Session]]:
    """A broker, a service, and a session that goes from one to the other."""
    async with answering(folder) as broker, service(*good) as api:
        yield broker, api, Session(auth=BrokerPlugin(url=url(broker)))


async def get(session: Session, api: Service) -> int:
    return (await asyncio.to_thread(session.get, f"{api.url}/a", raise_exc=False)).status_code


def test_a_session_gets_the_whole_answer_of_iam(tmp_path: Path):
    with scripted(tmp_path / "s", WHOLE) as seen:
        one = session(tmp_path / "s")
        assert one.get_token() == "gAAAAABcanary"
        assert (one.get_project_id(), one.get_user_id()) == ("p1", "u1")
        assert one.auth is not None
        found = one.auth.get_access(one)  # type: ignore[attr-defined]
        assert (found.user_domain_name, found.project_domain_id, found.role_names) == (
            "kakao",
            "d",
            ["member"],
        )
        for interface in ("public", AUTH_INTERFACE):
            asked = one.get_endpoint(service_type="identity", interface=interface, skip_discovery=True)
            assert asked == "https://iam.example/v3"
    assert [request.split()[1] for request in seen] == [b"/v1/identities/shop/keystone"]


def test_without_a_name_it_is_the_usual_identity(tmp_path: Path):
    with scripted(tmp_path / "s", answered(200, TREE), WHOLE) as seen:
        assert session(tmp_path / "s", None).get_token() == "gAAAAABcanary"
    assert [request.split()[1] for request in seen] == [b"/v1/token", b"/v1/identities/shop/keystone"]


@pytest.mark.parametrize(
    ("reply", "error", "told"),
    [
        (answered(403, {"code": "access_denied", "detail": "no"}), exceptions.AuthorizationFailure, "access_denied: no"),
        (answered(503, {"code": "not_ready", "detail": "soon"}), exceptions.ConnectFailure, "no token: not_ready: soon"),
        (answered(404, {"code": "not_found", "detail": "old"}), exceptions.AuthPluginException, "not_found: old"),
        (answered(200, {"token": "t"}), exceptions.ConnectFailure, "is not understood"),
        (answered(200, {"token": "t", "body": {}}), exceptions.ConnectFailure, "is not understood"),
        (answered(200, {"token": "a b", "body": BODY}), exceptions.ConnectFailure, "is not understood"),
    ],
)  # fmt: skip
def test_what_fails_is_an_error_that_its_tools_know(
    tmp_path: Path, reply: bytes, error: type[Exception], told: str
):
    with scripted(tmp_path / "s", reply), pytest.raises(error, match=told):
        session(tmp_path / "s").get_token()


async def test_a_revoked_token_is_reported_and_the_sessions_own_retry_succeeds(tmp_path: Path):
    async with called(tmp_path, FRESH) as (broker, api, one):
        kill(broker)
        assert await get(one, api) == 200
        assert (api.tokens, reports(broker)) == ([DEAD, FRESH], 1)
        assert await get(one, api) == 200
        assert api.tokens == [DEAD, FRESH, FRESH]


async def test_a_token_that_lives_is_kept_until_a_second_report_is_believed(tmp_path: Path):
    """Rule: no second try with the same token; the refusal is the user's to see."""
    async with called(tmp_path, FRESH) as (broker, api, one):
        assert await get(one, api) == 401
        assert (api.tokens, reports(broker)) == ([DEAD], 1)
        assert await get(one, api) == 200
        assert (api.tokens, reports(broker)) == ([DEAD, DEAD, FRESH], 2)


async def test_threads_that_are_refused_together_report_once(tmp_path: Path):
    async with called(tmp_path, FRESH) as (broker, api, one):
        kill(broker)
        api.together = 20
        statuses: list[int] = []

        def ask() -> None:
            statuses.append(one.get(f"{api.url}/a", raise_exc=False, connect_retries=0).status_code)

        threads = [threading.Thread(target=ask) for _ in range(api.together)]
        for thread in threads:
            thread.start()
        for thread in threads:
            await asyncio.to_thread(thread.join)
        assert statuses == [200] * 20
        assert reports(broker) == 1


async def test_a_thread_that_was_refused_before_reports_no_newer_token(tmp_path: Path):
    async with called(tmp_path, FRESH) as (broker, api, one):
        kill(broker)
        assert (await asyncio.to_thread(one.get_token)) == DEAD
        late = threading.Event()
        told: list[object] = []

        def slow() -> None:
            told.append(one.get_token())
            late.wait(10)
            told.append(one.invalidate())

        thread = threading.Thread(target=slow)
        thread.start()
        assert await get(one, api) == 200
        late.set()
        await asyncio.to_thread(thread.join)
        assert told == [DEAD, True]  # another one is there, so a second try makes sense
        assert reports(broker) == 1
        assert await asyncio.to_thread(one.get_token) == FRESH


def test_who_has_no_token_has_none_to_forget(tmp_path: Path):
    assert session(tmp_path / "s").invalidate() is False


def test_nothing_is_kept_by_others(tmp_path: Path):
    with scripted(tmp_path / "s", WHOLE):
        one = session(tmp_path / "s")
        one.get_token()
    plugin = one.auth
    assert isinstance(plugin, BrokerPlugin)
    plugin.set_auth_state('{"auth_token": "x", "body": {"token": {}}}')
    assert plugin.get_cache_id() is plugin.get_auth_state() is None
    assert one.get_token() == "gAAAAABcanary"


def test_it_is_found_by_its_name_with_two_options_none_of_them_needed():
    """Rule: none is called `url` within, which the openstack command takes for one that it must demand."""
    loader: object = get_plugin_loader("v3kakaocloudbroker")
    assert isinstance(loader, Loader)
    assert [(opt.name, opt.dest, opt.required) for opt in loader.get_options()] == [
        ("identity", "identity", False),
        ("url", "broker_url", False),
    ]
    assert isinstance(loader.load_from_options(), BrokerPlugin)
    with pytest.raises(exceptions.OptionError, match=r"^url must be unix:///PATH"):
        loader.load_from_options(broker_url="https://broker.example")
    with pytest.raises(exceptions.OptionError, match=r"^url must be"):
        loader.load_from_options(url="ftp://x")
    with pytest.raises(exceptions.OptionError, match="no name of one"):
        loader.load_from_options(identity="No Name")
