"""Our own TCP sockets: on the address that was named only, and one sentence where that cannot be."""

import socket

import pytest

from broker.callers.listeners import tcp_listener
from broker.core.errors import ConfigError
from tests.callers.loopback import SECONDS, open_files, skip_without

HOSTS = ("127.0.0.1", "::1")


def refused(host: str, port: int) -> str:
    with pytest.raises(ConfigError) as caught, tcp_listener(host, port):
        pass
    return str(caught.value)


@pytest.mark.parametrize("host", HOSTS)
def test_it_listens_on_its_address_until_the_context_ends(host: str):
    skip_without(host)
    with tcp_listener(host, 0) as listener:
        address = listener.getsockname()
        assert address[0] == host
        assert not listener.getblocking()
        with socket.create_connection(address[:2], timeout=SECONDS):
            pass
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address[:2], timeout=SECONDS)


@pytest.mark.parametrize("host", HOSTS)
def test_an_address_in_use_is_one_sentence(host: str):
    skip_without(host)
    with tcp_listener(host, 0) as listener:
        port = listener.getsockname()[1]
        where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        told = "cannot listen there (Address already in use); stop what listens there, or choose another port"
        assert refused(host, port) == f"{where}: {told}"


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1"])
def test_an_address_that_is_not_ours_is_one_sentence(host: str):
    told = refused(host, 1)
    assert told.count("\n") == 0
    assert "cannot listen there (" in told
    assert told.endswith("; choose an address of this host")


def test_the_port_of_the_one_before_is_free_at_once():
    """Connections in TIME_WAIT must not keep a restart from listening."""
    with tcp_listener("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        client = socket.create_connection(("127.0.0.1", port), timeout=SECONDS)
        listener.setblocking(True)
        accepted, _ = listener.accept()
        accepted.close()  # the side that closes first keeps the port in TIME_WAIT
        client.close()
    with tcp_listener("127.0.0.1", port):
        pass


def test_the_address_of_all_v6_takes_no_v4():
    """Two listeners of one port, one a family, must not be each other's."""
    skip_without("::1")
    with tcp_listener("::", 0) as listener:
        port = listener.getsockname()[1]
        with tcp_listener("127.0.0.1", port):
            pass


def test_no_descriptor_is_left_open():
    before = open_files()
    with tcp_listener("127.0.0.1", 0) as listener:
        refused("127.0.0.1", listener.getsockname()[1])
    assert open_files() == before
