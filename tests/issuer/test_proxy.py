"""The proxy of the environment: used where named, never for loopback, and its password never told."""

import asyncio
import base64
import socket
from pathlib import Path

import pytest
import trustme

from broker.core.errors import Fault, IamError
from broker.issuer.endpoint import IAM as KEYSTONE
from broker.outward.proxy import proxy_for
from tests.issuer.asking import KEY, asking, failure
from tests.issuer.replies import PROXY_PASSWORD, issued, reply
from tests.issuer.scripted import scripted, tunnel_to
from tests.issuer.test_tls import file_of, served_by

IAM = "https://iam.test/identity/v3"


async def test_https_goes_through_a_tunnel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    ca = trustme.CA()
    async with (
        scripted(issued(), tls=served_by(ca.issue_cert("iam.test"))) as iam,
        scripted(tunnel_to(iam.port)) as proxy,
    ):
        monkeypatch.setenv("https_proxy", f"http://robot:{PROXY_PASSWORD}@127.0.0.1:{proxy.port}")
        async with asking(IAM, ca_file=file_of(ca, tmp_path)) as keystone:
            await keystone.issue(KEY)
    login = base64.b64encode(f"robot:{PROXY_PASSWORD}".encode())
    assert proxy.requests[0].startswith(b"CONNECT iam.test:443 HTTP/1.1\r\n")
    assert b"Proxy-Authorization: Basic " + login in proxy.requests[0]
    assert b"Proxy-Authorization" not in iam.requests[0]


async def test_plain_http_goes_through_too(monkeypatch: pytest.MonkeyPatch):
    async with scripted(issued()) as proxy:
        monkeypatch.setenv("http_proxy", f"127.0.0.1:{proxy.port}")
        async with asking("http://iam.test/v3", insecure=True) as keystone:
            await keystone.issue(KEY)
    assert proxy.requests[0].startswith(b"POST http://iam.test/v3/auth/tokens HTTP/1.1\r\n")


async def test_plain_http_goes_through_an_encrypted_proxy_that_the_system_vouches_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    ca = trustme.CA()
    async with scripted(issued(), tls=served_by(ca.issue_cert("127.0.0.1"))) as proxy:
        monkeypatch.setenv("http_proxy", f"https://127.0.0.1:{proxy.port}")
        async with asking("http://iam.test/v3", insecure=True) as keystone:
            await failure(keystone.issue(KEY), Fault.UNAVAILABLE)
            assert proxy.requests == []
        monkeypatch.setenv("SSL_CERT_FILE", str(file_of(ca, tmp_path)))
        async with asking("http://iam.test/v3", insecure=True) as keystone:
            await keystone.issue(KEY)
    assert proxy.requests[0].startswith(b"POST http://iam.test/v3/auth/tokens HTTP/1.1\r\n")


async def test_the_environment_is_read_for_each_request(monkeypatch: pytest.MonkeyPatch):
    async with scripted(issued()) as proxy, asking("http://iam.test/v3", insecure=True) as keystone:
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
        await failure(keystone.issue(KEY), Fault.UNAVAILABLE)
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
        await keystone.issue(KEY)


@pytest.mark.parametrize(
    ("url", "no_proxy", "proxy"),
    [
        ("https://iam.test/v3", "", "http://proxy.test:3128"),
        ("https://iam.test/v3", "iam.test", None),
        ("https://iam.test:8443/v3", "iam.test:8443", None),
        ("https://iam.test/v3", "*", None),
        ("https://127.0.0.1/v3", "", None),
        ("https://[::1]:8443/v3", "", None),
        ("https://localhost/v3", "", None),
        ("http://iam.test/v3", "", None),
    ],
)
def test_the_proxy_for(url: str, no_proxy: str, proxy: str | None, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.test:3128")
    monkeypatch.setenv("no_proxy", no_proxy)
    assert proxy_for(KEYSTONE, url) == proxy


@pytest.mark.parametrize(
    "proxy",
    [
        f"socks5://robot:{PROXY_PASSWORD}@proxy.test",
        f"http://robot:{PROXY_PASSWORD}",
        f"http://robot:{PROXY_PASSWORD}@",
        f"http://[{PROXY_PASSWORD}",
    ],
)
def test_a_proxy_that_is_none_is_not_repeated(proxy: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("https_proxy", proxy)
    with pytest.raises(IamError, match="https_proxy") as caught:
        proxy_for(KEYSTONE, IAM)
    assert caught.value.fault is Fault.UNAVAILABLE
    assert PROXY_PASSWORD not in caught.value.detail
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    ("status", "words"),
    [("407 LOGIN", "wants a login"), ("502 BAD GATEWAY", "through to iam.test:443 (502)")],
)
async def test_a_proxy_that_refuses(status: str, words: str, monkeypatch: pytest.MonkeyPatch):
    async with scripted(reply(status)) as proxy, asking(IAM) as keystone:
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{proxy.port}")
        error = await failure(keystone.issue(KEY), Fault.UNAVAILABLE)
    assert words in error.detail


async def test_a_proxy_that_is_down(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("https_proxy", f"http://robot:{PROXY_PASSWORD}@127.0.0.1:1")
    async with asking(IAM) as keystone:
        error = await failure(keystone.issue(KEY), Fault.UNAVAILABLE)
    assert "the proxy cannot be reached" in error.detail


async def test_a_proxy_without_a_name(monkeypatch: pytest.MonkeyPatch):
    async def nowhere(*_: object, **__: object) -> list[object]:
        raise socket.gaierror(socket.EAI_NONAME, "no such name")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", nowhere)
    monkeypatch.setenv("https_proxy", "http://proxy.test:3128")
    async with asking(IAM) as keystone:
        error = await failure(keystone.issue(KEY), Fault.UNAVAILABLE)
    assert "the host of the proxy cannot be resolved" in error.detail
