"""The trial at start: fine here, and one sentence wherever callers cannot be proven."""

import errno
import os
import socket

import pytest

from broker.callers.overflow import ambiguous_uid
from broker.callers.sock_diag import Answer, End, SockDiag
from broker.callers.tcp import TcpProver
from tests.callers.loopback import open_files, skip_without

ME = os.geteuid()


@pytest.fixture(name="kernel")
def open_kernel():
    kernel = SockDiag()
    yield kernel
    kernel.close()


class Kernel:
    """A kernel that lies or refuses in one way."""

    def __init__(self, fault: str | int) -> None:
        self.fault = fault

    def find(self, own: End, other: End) -> Answer | None:
        if isinstance(self.fault, int):
            raise OSError(self.fault, os.strerror(self.fault))
        if self.fault == "finds nothing":
            return None
        found = Answer(state=1, own=own, other=other, uid=ME, inode=1)
        if self.fault == "another uid":
            return Answer(state=1, own=own, other=other, uid=ME + 1, inode=1)
        if self.fault == "listener" or other.port:
            return found
        return None


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "::ffff:127.0.0.1", "127.0.0.9"])
def test_here_all_is_well_and_nothing_stays_open(host: str):
    skip_without(host)
    kernel = SockDiag()
    before = open_files()
    assert TcpProver(kernel, ambiguous_uid()).self_test(host) is None
    kernel.close()
    assert open_files() == before


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (errno.EPROTONOSUPPORT, "INET_DIAG"),
        (errno.EAFNOSUPPORT, "AF_NETLINK"),
        (errno.EPERM, "seccomp"),
        (errno.EACCES, "seccomp"),
        (errno.ENOMEM, "Cannot allocate memory"),
        ("finds nothing", "tcp_diag"),
        ("another uid", f"uid {ME + 1}"),
        ("listener", "a listener's owner"),
        ("closed", "the connection is closed"),
    ],
)
def test_what_is_amiss_is_said_in_one_sentence(fault: str | int, reason: str):
    said = TcpProver(Kernel(fault), None).self_test("127.0.0.1")
    assert said
    assert said.startswith("callers over TCP to 127.0.0.1 cannot be proven: ")
    assert reason in said


def test_a_broker_whose_own_uid_is_ambiguous_proves_nobody(kernel):
    said = TcpProver(kernel, ME).self_test("127.0.0.1")
    assert said
    assert "user namespace" in said


def test_an_address_that_is_not_ours_is_named(kernel):
    said = TcpProver(kernel, None).self_test("192.0.2.1")
    assert said
    assert "192.0.2.1" in said


def test_a_family_that_is_refused_leaves_a_sentence(monkeypatch, kernel):
    def forbidden(*_: object) -> socket.socket:
        raise OSError(errno.EAFNOSUPPORT, os.strerror(errno.EAFNOSUPPORT))

    prover = TcpProver(kernel, ambiguous_uid())
    monkeypatch.setattr(SockDiag, "_open", forbidden)
    said = prover.self_test("127.0.0.1")
    assert said
    assert "RestrictAddressFamilies" in said


def test_a_stranger_who_connects_first_is_not_taken_for_us(monkeypatch, kernel):
    listen, early = socket.socket.listen, socket.socket()

    def be_late(listener: socket.socket, backlog: int) -> None:
        listen(listener, backlog)
        early.connect(listener.getsockname())
        early.close()

    monkeypatch.setattr(socket.socket, "listen", be_late)
    assert TcpProver(kernel, ambiguous_uid()).self_test("127.0.0.1") is None
