"""Certificates: whom the broker believes to be IAM."""

import asyncio
import gc
import ssl
import weakref
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trustme

from broker.core.errors import ConfigError, Fault
from broker.issuer.keystone import Endpoint, Keystone
from broker.outward.trust import tls_context
from tests.issuer.asking import KEY, CountingClock, asking, failure
from tests.issuer.replies import issued, reply
from tests.issuer.scripted import hang, scripted


def served_by(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


def file_of(ca: trustme.CA, folder: Path) -> Path:
    path = folder / "ca.pem"
    ca.cert_pem.write_to_path(str(path))
    return path


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[ssl.SSLContext]:
    """Every context for the way to IAM that is made meanwhile."""
    contexts: list[ssl.SSLContext] = []
    create = ssl.create_default_context

    def seen(cafile: Path | None) -> ssl.SSLContext:
        contexts.append(create(cafile=cafile))
        return contexts[-1]

    monkeypatch.setattr(ssl, "create_default_context", seen)
    return contexts


async def test_a_private_ca_is_trusted_when_named(tmp_path: Path):
    ca = trustme.CA()
    tls = served_by(ca.issue_cert("127.0.0.1"))
    async with (
        scripted(issued(), tls=tls) as server,
        asking(server.url, ca_file=file_of(ca, tmp_path)) as keystone,
    ):
        assert (await keystone.issue(KEY)).lifetime == 12 * 3600


@pytest.mark.parametrize("named", [True, False])
async def test_a_stranger_gets_no_key(tmp_path: Path, named: bool):
    """Neither another private CA nor the system's vouch for it; `insecure` does not change that."""
    ca_file = file_of(trustme.CA(), tmp_path) if named else None
    tls = served_by(trustme.CA().issue_cert("127.0.0.1"))
    async with (
        scripted(issued(), tls=tls) as server,
        asking(server.url, ca_file=ca_file, insecure=True) as keystone,
    ):
        error = await failure(keystone.issue(KEY), Fault.UNAVAILABLE)
    assert "not trusted" in error.detail
    assert "iam.ca_file" in error.detail
    assert server.requests == []


async def test_a_certificate_for_another_host_is_refused(tmp_path: Path):
    ca = trustme.CA()
    tls = served_by(ca.issue_cert("other.example"))
    async with (
        scripted(issued(), tls=tls) as server,
        asking(server.url, ca_file=file_of(ca, tmp_path)) as keystone,
    ):
        error = await failure(keystone.issue(KEY), Fault.UNAVAILABLE)
    assert "for another host" in error.detail
    assert server.requests == []


async def test_an_expired_certificate_is_refused(tmp_path: Path):
    ca = trustme.CA()
    tls = served_by(ca.issue_cert("127.0.0.1", not_after=datetime(2020, 1, 1, tzinfo=UTC)))
    async with (
        scripted(issued(), tls=tls) as server,
        asking(server.url, ca_file=file_of(ca, tmp_path)) as keystone,
    ):
        error = await failure(keystone.issue(KEY), Fault.UNAVAILABLE)
    assert "has expired" in error.detail


async def test_a_port_without_tls_is_named():
    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(reply("400 BAD REQUEST"))
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as listener:
        port = listener.sockets[0].getsockname()[1]
        async with asking(f"https://127.0.0.1:{port}/v3") as keystone:
            error = await failure(keystone.issue(KEY), Fault.UNAVAILABLE)
    assert "TLS 1.2 or better" in error.detail


async def test_a_handshake_that_hangs_ends_with_the_connect_timeout():
    async with scripted(hang) as server:
        endpoint = Endpoint(server.url.replace("http:", "https:"), timeout=60, connect_timeout=0.1)
        async with asyncio.timeout(5), Keystone(endpoint, CountingClock()) as keystone:
            error = await failure(keystone.issue(KEY), Fault.UNAVAILABLE)
    assert "in time" in error.detail


def test_nothing_older_than_tls_1_2_and_no_key_log(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))
    context = tls_context(None)
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert not context.keylog_filename


@pytest.mark.parametrize(
    "content", [None, "", "-----BEGIN CERTIFICATE-----\nnot\n-----END CERTIFICATE-----\n"]
)
async def test_a_ca_file_that_is_none_is_told_at_the_start(tmp_path: Path, content: str | None):
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ConfigError, match="is no usable CA file"):
        async with asking("https://iam.test/v3", ca_file=path):
            pass


def test_a_homemade_ca_without_optional_extensions_is_accepted_on_every_python(tmp_path: Path):
    """Python 3.13 made strictness the default, which only a CA that somebody named may be spared."""
    named = tls_context(file_of(trustme.CA(), tmp_path))
    assert not named.verify_flags & ssl.VERIFY_X509_STRICT
    assert named.verify_mode is ssl.CERT_REQUIRED
    assert named.check_hostname


async def test_identities_that_trust_the_same_cas_share_a_context_and_nothing_else(
    tmp_path: Path, made: list[ssl.SSLContext]
):
    """Rule: a context costs a megabyte and 25 ms, so a thousand identities must not have one each."""
    ca = trustme.CA()
    path, tls = file_of(ca, tmp_path), served_by(ca.issue_cert("127.0.0.1"))
    async with (
        scripted(issued(), issued(), tls=tls) as server,
        asking(server.url, ca_file=path) as one,
        asking(server.url, ca_file=path) as other,
    ):
        await one.issue(KEY)
        await other.issue(KEY)
    assert len(made) == 1


async def test_a_ca_file_that_was_replaced_holds_for_who_asks_from_then_on(tmp_path: Path):
    old, new = trustme.CA(), trustme.CA()
    path, moved = file_of(old, tmp_path), tmp_path / "new"
    new.cert_pem.write_to_path(str(moved))
    async with (
        scripted(issued(), issued(), tls=served_by(new.issue_cert("127.0.0.1"))) as server,
        asking(server.url, ca_file=path) as before,
    ):
        moved.replace(path)
        async with asking(server.url, ca_file=path) as after:
            await after.issue(KEY)
        await failure(before.issue(KEY), Fault.UNAVAILABLE)


def test_the_systems_cas_are_shared_until_they_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Rule: an identity that a reload adds trusts what the host trusts by then."""
    monkeypatch.setenv("SSL_CERT_FILE", str(file_of(trustme.CA(), tmp_path)))
    held = tls_context(None)
    assert tls_context(None) is held
    (tmp_path / "ca.pem").unlink()
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    changed = tls_context(None)
    assert changed is not held
    assert changed.get_ca_certs(binary_form=True) != held.get_ca_certs(binary_form=True)


async def test_nothing_is_kept_of_cas_that_nobody_trusts_any_longer(tmp_path: Path):
    context = weakref.ref(tls_context(file_of(trustme.CA(), tmp_path)))
    gc.collect()
    assert context() is None


async def test_plain_http_takes_no_context(made: list[ssl.SSLContext]):
    async with scripted(issued()) as server, asking(server.url) as keystone:
        await keystone.issue(KEY)
    assert made == []


async def test_a_bad_ca_file_is_told_also_where_nothing_is_encrypted(tmp_path: Path):
    with pytest.raises(ConfigError, match="is no usable CA file"):
        async with asking("http://127.0.0.1:1/v3", ca_file=tmp_path / "absent"):
            pass
