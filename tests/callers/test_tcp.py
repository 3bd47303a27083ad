"""Who calls over loopback TCP, on real sockets: the socket's owner, or nobody."""

import asyncio
import os
import socket
import struct
import time

import pytest

from broker.callers.overflow import ambiguous_uid
from broker.callers.sock_diag import Answer, End, SockDiag, end_of
from broker.callers.tcp import TcpProver
from tests.callers.loopback import connected, listening, needs_root, open_files, stranger

ME = os.geteuid()
WAYS = [
    ("127.0.0.1", "127.0.0.1"),
    ("127.0.0.1", "::ffff:127.0.0.1"),
    ("127.3.2.1", "127.3.2.1"),
    ("::1", "::1"),
    ("::", "::1"),
    ("::", "127.0.0.1"),
    ("::", "::ffff:127.0.0.1"),
    ("::ffff:127.0.0.1", "127.0.0.1"),
]
LOOKUPS = 1_000


class Fixed:
    """A kernel that always says the same."""

    def __init__(self, said: Answer | OSError | None) -> None:
        self.said = said

    def find(self, own: End, other: End) -> Answer | None:
        del own, other
        if isinstance(self.said, OSError):
            raise self.said
        return self.said


@pytest.fixture(name="kernel")
def open_kernel():
    kernel = SockDiag()
    yield kernel
    kernel.close()


@pytest.fixture(name="prover")
def make_prover(kernel):
    return TcpProver(kernel, ambiguous_uid())


def ends(accepted: socket.socket) -> tuple[End, End]:
    client, ours = end_of(accepted.getpeername()), end_of(accepted.getsockname())
    assert client
    assert ours
    return client, ours


def reset(client: socket.socket) -> None:
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


@pytest.mark.parametrize(("listen", "to"), WAYS)
def test_our_own_connection_is_ours(prover, listen: str, to: str):
    with connected(listen, to) as (_, accepted):
        assert prover.prove(accepted) == ME


@pytest.mark.parametrize(("listen", "to"), WAYS)
def test_our_end_may_be_told_and_counts_only_if_it_is_ours(prover, listen: str, to: str):
    """It goes into the question, so with a wrong one the kernel finds no such socket."""
    with connected(listen, to) as (client, accepted):
        _, ours = ends(accepted)
        assert prover.prove(accepted, ours) == ME
        assert prover.prove(accepted, ours._replace(port=ours.port ^ 1)) is None
        assert prover.prove(accepted, end_of(client.getsockname())) is None
        assert prover.prove(accepted, ELSEWHERE) is None
        other = end_of(("127.9.9.9" if listen != "::1" else "::2", ours.port))
        assert prover.prove(accepted, other) is None


def test_a_client_bound_to_the_loopback_interface_is_found(prover):
    with listening("127.0.0.1") as listener, socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo\0")
        client.connect(listener.getsockname())
        accepted, _ = listener.accept()
        with accepted:
            assert prover.prove(accepted) == ME


async def test_what_asyncio_shows_of_a_socket_will_do(prover):
    proven: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()

    def met(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        proven.set_result(prover.prove(writer.get_extra_info("socket")))
        writer.close()

    with listening("127.0.0.1") as listener:
        async with await asyncio.start_server(met, sock=listener):
            _, writer = await asyncio.open_connection(*listener.getsockname())
            assert await proven == ME
            writer.close()


@needs_root
@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
@pytest.mark.parametrize("uid", [54321, 65534])
def test_another_user_is_seen_as_that_user(prover, host: str, uid: int):
    if uid == ambiguous_uid():
        pytest.skip("this user namespace lacks users, so `nobody` is not to be told from them")
    with listening(host) as listener, stranger(host, listener.getsockname()[1], uid):
        accepted, _ = listener.accept()
        with accepted:
            assert prover.prove(accepted) == uid


def test_a_client_that_has_ended_its_sending_half_is_still_who_it_is(prover):
    with connected() as (client, accepted):
        client.shutdown(socket.SHUT_WR)
        assert accepted.recv(1) == b""
        assert prover.prove(accepted) == ME


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_client_that_has_closed_is_nobody_and_never_root(prover, kernel, host: str):
    with connected(host) as (client, accepted):
        client.close()
        assert accepted.recv(1) == b""
        left = kernel.find(*ends(accepted))
        assert left is None or left.inode == 0  # the trap: such an answer carries uid 0
        assert prover.prove(accepted) is None


def test_a_client_that_has_reset_is_nobody(prover):
    with connected() as (client, accepted):
        reset(client)
        assert prover.prove(accepted) is None


def test_the_next_user_of_a_port_does_not_answer_for_a_dead_connection():
    """The attack: send a request, reset, and have root's client get the same port before the broker looks."""

    class PortIsTakenMeanwhile(Fixed):
        def find(self, own: End, other: End) -> Answer | None:
            reset(client)
            return Answer(state=1, own=own, other=other, uid=0, inode=1)

    with connected() as (client, accepted):
        client.send(b"POST /v1/renew")
        assert TcpProver(PortIsTakenMeanwhile(None), None).prove(accepted) is None


def test_nobody_is_assumed_when_we_have_ended_the_connection(prover):
    with connected() as (client, accepted):
        accepted.shutdown(socket.SHUT_WR)
        assert client.recv(1) == b""
        assert prover.prove(accepted) is None


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "::"])
def test_the_owner_of_a_listener_on_the_clients_port_is_not_the_caller(prover, kernel, host: str):
    with listening(host) as listener:
        own, other = (
            end_of((host.replace("::", "::1") if host == "::" else host, 1)),
            end_of(("127.0.0.1", 9)),
        )
        assert own
        own = End(own.address, listener.getsockname()[1])
        other = End(own.address, 9)
        fallen_back = kernel.find(own, other)
        assert fallen_back
        assert (fallen_back.own.port, fallen_back.uid, fallen_back.other.port) == (own.port, ME, 0)
        assert prover.owner(own, other) is None


CLIENT, OURS = End(bytes(15) + b"\x01", 40_000), End(bytes(15) + b"\x01", 9780)
GOOD = Answer(state=1, own=CLIENT, other=OURS, uid=7, inode=9)
ELSEWHERE = End(bytes(14) + b"\x01\x01", 40_000)


@pytest.mark.parametrize("state", range(14))
def test_only_a_client_that_still_reads_counts(state: int):
    found = GOOD._replace(state=state)
    assert TcpProver(Fixed(found), None).owner(CLIENT, OURS) == (7 if state in {1, 4, 5} else None)


@pytest.mark.parametrize(
    "wrong",
    [
        {"own": OURS},
        {"own": CLIENT._replace(port=1)},
        {"own": ELSEWHERE},
        {"other": CLIENT},
        {"other": OURS._replace(port=0)},
        {"other": End(bytes(16), OURS.port)},
        {"own": OURS, "other": CLIENT},
        {"inode": 0},
        {"inode": 0, "uid": 0},
        {"uid": 65534},
    ],
)
def test_an_answer_about_anything_else_proves_nobody(wrong):
    assert TcpProver(Fixed(GOOD._replace(**wrong)), 65534).owner(CLIENT, OURS) is None


@pytest.mark.parametrize(("client", "ours"), [(ELSEWHERE, OURS), (CLIENT, ELSEWHERE)])
def test_only_loopback_is_asked_about(client: End, ours: End):
    found = GOOD._replace(own=client, other=ours)
    assert TcpProver(Fixed(found), None).owner(client, ours) is None


@pytest.mark.parametrize("said", [None, PermissionError(1, "no")])
def test_a_kernel_that_does_not_say_proves_nobody(said):
    with connected() as (_, accepted):
        assert TcpProver(Fixed(said), None).prove(accepted) is None


def test_what_is_no_tcp_connection_is_nobody(prover):
    with socket.socket() as lonely:
        assert prover.prove(lonely) is None
    assert prover.prove(lonely) is None  # closed
    ours, other = socket.socketpair()
    with ours, other:
        assert prover.prove(ours) is None


def test_lookups_leak_no_descriptor(prover, record_property):
    with connected() as (_, accepted):
        assert prover.prove(accepted) == ME
        before = open_files()
        start = time.perf_counter()
        assert {prover.prove(accepted) for _ in range(LOOKUPS)} == {ME}
        record_property("microseconds_per_proof", (time.perf_counter() - start) / LOOKUPS * 1e6)
        assert open_files() == before
