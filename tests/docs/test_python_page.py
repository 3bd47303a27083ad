"""Every program on the page for Python programmers runs as it is written there, against a real broker and a service by https."""

import asyncio
import contextlib
import io
import re
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiohttp import web

from broker.client.address import VARIABLE
from tests.client.answering import DEAD, FRESH, answering, kill, reports, url
from tests.client.service import Service

PAGE = (Path(__file__).parents[2] / "docs/python.md").read_text()
PROGRAMS: list[str] = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
# This one needs what the tools' own environment has: tests/tools/test_openstack_plugin.py runs it there.
ELSEWHERE = "import openstack"
HERE = [program for program in PROGRAMS if ELSEWHERE not in program]
# What each prints first, to a token that is good.
SAID = {
    "import requests": "200",
    "import httpx": "200",
    "import broker_middleware": "200",
    "import BrokerPlugin": "p1",
    "import TokenClient": "shop ('member',) 2026-01-01 12:00:00+00:00 False\n200\nstill_valid Token(identity='default'",
    "import AsyncTokenClient": "Token(identity='default', value=Secret(***)",
}
HOST = "api.example"


@asynccontextmanager
async def api(folder: Path, monkeypatch: pytest.MonkeyPatch, *good: str) -> AsyncIterator[Service]:
    """The page's service, at its name and the usual port, for clients that trust what the environment names."""
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(HOST).configure_cert(context)
    authority.cert_pem.write_to_path(folder / "ca.pem")
    for variable in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"):
        monkeypatch.setenv(variable, str(folder / "ca.pem"))
    # aiohttp has read the environment when it was loaded.
    trusting = ssl.create_default_context(cafile=str(folder / "ca.pem"))
    monkeypatch.setattr("aiohttp.connector._SSL_CONTEXT_VERIFIED", trusting)
    made, app = Service(set(good)), web.Application()
    app.router.add_route("*", "/{path:.*}", made.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    port, known = site._server.sockets[0].getsockname()[1], socket.getaddrinfo  # type: ignore[union-attr]

    def look_up(host: Any, *rest: Any, **how: Any) -> Any:  # noqa: ANN401 - whatever the original takes
        if host not in {HOST, HOST.encode()}:
            return known(host, *rest, **how)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    for variable in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(variable, raising=False)
        monkeypatch.delenv(variable.upper(), raising=False)
    try:
        yield made
    finally:
        await runner.cleanup()


def run(program: str) -> str:
    """What it prints."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(compile(program, "docs/python.md", "exec"), {"__name__": "__main__"})  # noqa: S102  (this is the test)
    return said.getvalue()


def written(words: str) -> str:
    """The program with these words."""
    (program,) = (each for each in HERE if words in each)
    return program


def test_every_program_is_run_somewhere():
    assert sorted(map(written, SAID)) == sorted(HERE)
    assert len(PROGRAMS) == len(HERE) + 1


@pytest.mark.parametrize("words", SAID)
async def test_it_runs_as_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str):
    async with answering(tmp_path) as broker, api(tmp_path, monkeypatch, DEAD):
        monkeypatch.setenv(VARIABLE, url(broker))
        said = await asyncio.to_thread(run, written(words))
    assert said.startswith(SAID[words])
    assert DEAD not in said


@pytest.mark.parametrize("words", ["import requests", "import httpx", "import broker_middleware"])
async def test_its_request_succeeds_where_the_token_has_died(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str
):
    async with answering(tmp_path) as broker, api(tmp_path, monkeypatch, FRESH) as service:
        monkeypatch.setenv(VARIABLE, url(broker))
        kill(broker)
        assert await asyncio.to_thread(run, written(words)) == "200\n"
        assert (service.tokens, reports(broker)) == ([DEAD, FRESH], 1)
