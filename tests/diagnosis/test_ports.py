"""TCP listeners: answered by the broker, by another, by nobody, or on an address that the host lacks."""

import os
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from broker.diagnosis import ports
from broker.diagnosis.finding import exit_code
from broker.diagnosis.ports import port
from broker.settings.listeners import Address, TcpListener, TcpListenerIfAvailable
from tests.client.scripted import answered, loopback, scripted
from tests.diagnosis.told import told

JSON = "Content-Type: application/json\r\n"
ALIVE = answered(200, {"status": "ok"}, head=JSON)


def listener(number: int, host: str = "127.0.0.1") -> TcpListener:
    return TcpListener(tcp=Address(host, number))


class Broker(BaseHTTPRequestHandler):
    """Answers as a broker does, and keeps its connections."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = b'{"version": {}}' if self.path == "/identity/v3" else b'{"status": "ok"}'
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def test_the_owner_is_told_the_proof_and_the_facade_are_tried():
    with ThreadingHTTPServer(("127.0.0.1", 0), Broker) as server:
        threading.Thread(target=server.serve_forever).start()
        lines = told(port(listener(server.server_port), os.getuid()))
        server.shutdown()
    assert lines == [
        f"ok: answers, served by uid {os.getuid()}",
        "ok: the kernel proves callers here",
        "ok: the Keystone facade answers below /identity/v3",
    ]


def test_a_port_that_another_user_took_is_a_problem(monkeypatch: pytest.MonkeyPatch):
    server, number = loopback()
    monkeypatch.setattr(ports, "owner_of", lambda _: 4712)
    with scripted(server, ALIVE):
        (line,) = told(port(listener(number), 4711))
    assert line == "problem: is held by uid 4712, and the broker is uid 4711; find out who took it: ss -ltnpe"


def test_something_else_that_answers_is_a_problem():
    server, number = loopback()
    with scripted(server, answered(404, {"error": "no"}, head=JSON)):
        findings = [*port(listener(number), None)]
    assert told(findings)[0].startswith("problem: is answered by something else than a broker; ")
    assert exit_code(findings) == 1


def test_nobody_there_is_an_absent_broker():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        findings = [*port(listener(taken.getsockname()[1]), None)]
    assert exit_code(findings) == 69


def test_an_address_that_the_host_lacks_is_fine_for_a_default_alone():
    lacking = Address("127.0.0.1", 9780), Address("192.0.2.1", 9780)
    default = TcpListenerIfAvailable(tcp=lacking[1], serve=("health",))
    named = TcpListener(tcp=lacking[1], serve=("health",))
    assert told(port(default, None)) == [
        "ok: this host has no address 192.0.2.1; a default listener is left out then"
    ]
    assert told(port(named, None))[0].startswith("problem: this host has no address 192.0.2.1; ")
