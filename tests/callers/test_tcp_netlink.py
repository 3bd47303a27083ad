"""The netlink socket: only the kernel's own answer to this question counts, and what breaks is replaced."""

import errno
import os
import socket
import struct

import pytest

from broker.callers.sock_diag import SockDiag, end_of
from tests.callers.diag_messages import GOOD, MAPPED, MAPPED_OURS, SAID, error
from tests.callers.loopback import connected, open_files


class Netlink:
    """Stands for the netlink socket: sends nothing, gives what is laid out, with sequence numbers from 1 on."""

    def __init__(self, *given: tuple[bytes, tuple[int, int]] | OSError) -> None:
        self.given = list(given)
        self.is_closed = False

    def send(self, message: bytes) -> int:
        return len(message)

    def recvfrom(self, _: int) -> tuple[bytes, tuple[int, int]]:
        if not self.given:
            raise BlockingIOError
        item = self.given.pop(0)
        if isinstance(item, OSError):
            raise item
        return item

    def close(self) -> None:
        self.is_closed = True


def sequenced(message: bytes, sequence: int, port: int = 6) -> bytes:
    return message[:8] + struct.pack("=II", sequence, port) + message[16:]


KERNEL, SOMEBODY = (0, 0), (4321, 0)


def with_netlink(monkeypatch, *netlinks: Netlink) -> SockDiag:
    kernel, left = SockDiag(), list(netlinks)

    def open_next() -> Netlink:
        kernel._port = 6
        netlink = left.pop(0)
        kernel._socket = netlink  # type: ignore[assignment]
        return netlink

    monkeypatch.setattr(kernel, "_open", open_next)
    return kernel


def test_only_the_kernels_own_answer_to_this_question_counts(monkeypatch):
    """The attack: root of this network namespace, or a question that failed before, leaves another answer first."""
    forged = sequenced(GOOD[:-8] + struct.pack("=II", 0, 9), 1)
    kernel = with_netlink(
        monkeypatch,
        Netlink(
            (forged, SOMEBODY),
            (sequenced(error(1), 0), KERNEL),
            (sequenced(error(1), 1, port=7), KERNEL),
            (sequenced(GOOD, 1), KERNEL),
        ),
    )
    assert kernel.find(MAPPED, MAPPED_OURS) == SAID


@pytest.mark.parametrize(
    "broken", [Netlink(), Netlink(OSError(errno.ENOBUFS, "")), Netlink(*[(GOOD, SOMEBODY)] * 20)]
)
def test_a_broken_socket_is_replaced_once(monkeypatch, broken: Netlink):
    kernel = with_netlink(monkeypatch, broken, Netlink((sequenced(GOOD, 2), KERNEL)))
    assert kernel.find(MAPPED, MAPPED_OURS) == SAID
    assert broken.is_closed
    with pytest.raises(OSError):  # noqa: PT011 - whatever the socket says
        with_netlink(monkeypatch, Netlink(), Netlink()).find(MAPPED, MAPPED_OURS)


def test_a_refusal_is_an_error_and_no_such_socket_is_none(monkeypatch):
    netlink = Netlink((sequenced(error(errno.ENOENT), 1), KERNEL), (sequenced(error(errno.EPERM), 2), KERNEL))
    kernel = with_netlink(monkeypatch, netlink)
    assert kernel.find(MAPPED, MAPPED_OURS) is None
    with pytest.raises(PermissionError):
        kernel.find(MAPPED, MAPPED_OURS)


def test_the_real_one_survives_the_loss_of_its_socket():
    kernel = SockDiag()
    with connected() as (client, accepted):
        own, other = end_of(client.getsockname()), end_of(accepted.getsockname())
        assert own
        assert other
        for _ in range(2):
            found = kernel.find(own, other)
            assert found
            assert (found.own, found.other, found.uid) == (own, other, os.geteuid())
            assert kernel._socket
            kernel._socket.close()
    kernel.close()
    kernel.close()


def test_the_real_one_takes_no_message_of_another_process():
    kernel = SockDiag()
    assert kernel.find(MAPPED, MAPPED_OURS) is None
    with (
        socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 4) as forger,
        # As root refused because the socket is connected, as anybody else because it takes root to send there.
        pytest.raises((ConnectionRefusedError, PermissionError)),
    ):
        forger.sendto(GOOD, (kernel._port, 0))
    kernel.close()


def test_a_socket_that_cannot_be_prepared_is_closed(monkeypatch):
    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(socket.socket, "bind", refuse)
    before = open_files()
    with pytest.raises(PermissionError) as refused:  # held: its frames keep what was left open
        SockDiag().find(MAPPED, MAPPED_OURS)
    assert open_files() == before
    del refused
