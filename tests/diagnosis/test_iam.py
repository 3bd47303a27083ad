"""The way to IAM against servers of our own; what is sent is read: no key and no token."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from broker.diagnosis import iam
from broker.settings.tree import Iam
from tests.client.scripted import answered, loopback, scripted
from tests.diagnosis.told import told
from tests.tls import ServerTls

FAR = "Date: Tue, 01 Jan 2030 00:00:00 GMT\r\n"


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(iam, "_STEP", 0.5)
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


@contextmanager
def encrypted(tls: ServerTls) -> Iterator[str]:
    """A server with a certificate, which says OK to two connections; its address."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tls.cert, tls.key)
    server, number = loopback()
    server.listen()
    server.settimeout(10)

    def serve() -> None:
        for _ in range(2):
            try:
                with context.wrap_socket(server.accept()[0], server_side=True) as way:
                    way.settimeout(10)
                    if way.recv(4096):
                        way.sendall(answered(200, {}))
            except OSError:
                continue

    thread = threading.Thread(target=serve)
    thread.start()
    with server:
        yield f"https://localhost:{number}/identity/v3"
        thread.join()


def test_every_step_is_told_and_a_clock_that_is_off_and_nothing_secret_is_sent():
    server, number = loopback()
    with scripted(server, answered(200, {}, head=FAR)) as seen:
        lines = told(iam.iam(Iam(url=f"http://127.0.0.1:{number}/identity/v3")))
    assert [line.partition(" in ")[0] for line in lines[:3]] == [
        "ok: resolved", f"ok: port {number} connected", "ok: answers with status 200",
    ]  # fmt: skip
    assert lines[3].startswith("warning: this host's clock is ")
    (request,) = [each for each in seen if each]
    assert request.startswith(b"GET /identity/v3 HTTP/1.1\r\n")
    assert b"x-auth" not in request.lower()
    assert b"authorization" not in request.lower()


def test_a_certificate_is_told_with_its_end(server_tls: ServerTls):
    with encrypted(server_tls) as url:
        lines = told(iam.iam(Iam.model_validate({"url": url, "ca_file": str(server_tls.ca_file)})))
    assert "its certificate ends in " in lines[2]
    assert lines[3].startswith("ok: answers with status 200")


def test_a_certificate_that_is_not_trusted_is_a_problem_with_the_remedy(server_tls: ServerTls):
    with encrypted(server_tls) as url:
        lines = told(iam.iam(Iam(url=url)))
    assert lines[-1].startswith("problem: the certificate of localhost:")
    assert "iam.ca_file" in lines[-1]


def test_a_ca_file_that_is_none_is_a_problem(tmp_path: Path, server_tls: ServerTls):
    del server_tls
    server, number = loopback()
    (tmp_path / "ca").write_text("no certificate")
    with scripted(server, answered(200, {})):
        lines = told(
            iam.iam(
                Iam.model_validate({"url": f"https://127.0.0.1:{number}", "ca_file": str(tmp_path / "ca")})
            )
        )
    assert "is no usable CA file" in lines[-1]


@pytest.mark.parametrize(("status", "level"), [(503, "warning"), (429, "warning"), (401, "ok")])
def test_any_answer_shows_that_it_is_there_and_some_that_it_is_not_well(status: int, level: str):
    server, number = loopback()
    with scripted(server, answered(status, {})):
        lines = told(iam.iam(Iam(url=f"http://127.0.0.1:{number}")))
    assert lines[-1].startswith(f"{level}: answers with status {status} ")


def test_one_that_hangs_is_a_problem_in_time():
    server, number = loopback()
    with scripted(server, None):
        lines = told(iam.iam(Iam(url=f"http://127.0.0.1:{number}")))
    assert "did not answer in time" in lines[-1]


def test_nobody_at_the_port_and_a_name_that_is_none(monkeypatch: pytest.MonkeyPatch):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        lines = told(iam.iam(Iam(url=f"http://127.0.0.1:{taken.getsockname()[1]}")))
    assert lines[-1].startswith("problem: port ")

    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    (line,) = told(iam.iam(Iam(url="https://iam.example.com")))
    assert line.startswith("problem: its name cannot be resolved (Name or service not known); ")


def test_behind_a_proxy_the_get_alone_is_tried(monkeypatch: pytest.MonkeyPatch):
    server, number = loopback()
    monkeypatch.setenv("http_proxy", f"http://user:canary@127.0.0.1:{number}")
    monkeypatch.setenv("no_proxy", "")
    with scripted(server, answered(200, {})) as seen:
        lines = told(iam.iam(Iam(url="http://iam.example.com", insecure=True)))
    assert [line.partition(" in ")[0] for line in lines] == [
        "ok: is asked through the proxy that http_proxy names", "ok: answers with status 200",
    ]  # fmt: skip
    assert seen[0].startswith(b"GET http://iam.example.com")
