"""Where the broker is: what is named, else the first usual socket; never a silent way to TCP."""

import os
import socket
from pathlib import Path

import pytest

from broker.client import address
from broker.client.address import TcpAddress, UnixAddress
from broker.client.failures import BadAddress, Unreachable


def made(path: Path) -> str:
    path.parent.mkdir(parents=True)
    path.touch()
    return str(path)


def found(environ: dict[str, str], system: str) -> tuple[str, bool]:
    """The socket, and whether it was named."""
    place = address.find(environ, system)
    assert isinstance(place, UnixAddress)
    return place.path, place.named


def test_what_is_named_is_used_whether_or_not_it_is_there(tmp_path: Path):
    system = made(tmp_path / "run/broker.sock")
    environ = {address.VARIABLE: "unix:///nowhere/b.sock", "XDG_RUNTIME_DIR": str(tmp_path)}
    assert found(environ, system) == ("/nowhere/b.sock", True)


def test_the_system_socket_comes_before_the_sessions(tmp_path: Path):
    system, session = tmp_path / "run/broker.sock", tmp_path / "kakaocloud-broker/broker.sock"
    environ = {"XDG_RUNTIME_DIR": str(tmp_path), "RUNTIME_DIRECTORY": str(tmp_path / "run")}
    made(session)
    assert found(environ, str(system)) == (str(session), False)
    made(system)
    assert found(environ, str(system)) == (str(system), False)
    assert found({address.VARIABLE: "", **environ}, str(system)) == (str(system), False)


def test_the_runtime_directory_is_the_daemons_alone(tmp_path: Path):
    made(tmp_path / "mine/broker.sock")
    with pytest.raises(Unreachable):
        address.find({"RUNTIME_DIRECTORY": str(tmp_path / "mine")}, str(tmp_path / "none.sock"))


def test_nothing_found_names_every_place_and_the_way_out(tmp_path: Path):
    with pytest.raises(Unreachable) as caught:
        address.find({"XDG_RUNTIME_DIR": "/session"}, str(tmp_path / "none.sock"))
    assert str(caught.value) == (
        f"no broker is running (there is no {tmp_path}/none.sock or /session/kakaocloud-broker/broker.sock);"
        " start it with `broker run`, or set KAKAOCLOUD_BROKER_URL"
    )


@pytest.mark.parametrize(
    "url",
    [
        "https://broker",
        "https://127.0.0.1:9780",
        "http://",
        "http://broker:9780",
        "http://10.0.0.1:9780",
        "http://0.0.0.0:9780",
        "http://[::]:9780",
        "http://127.1:9780",
        "http://localhost.:9780",
        "http://127.0.0.1.example.com:9780",
        "http://127.0.0.1:9780/identity/v3",
        "http://127.0.0.1:9780?a",
        "http://127.0.0.1:9780#a",
        "http://127.0.0.1:0",
        "http://127.0.0.1:65536",
        "http://127.0.0.1:port",
        "http://[::1",
        "http://[::1]9780",
        "http://[::1%lo]:9780",
        "http://[127.0.0.1]:9780",
        "http://[::ffff:127.0.0.1]:9780",
        "http://::1:9780",
        "http://2130706433:9780",
        "http://0x7f000001:9780",
        "http://127.0.0.1:9780:1",
        "http://127.0.0.1:+80",
        "http://127.0.0.1:-1",
        "http://127.0.0.1: 80",
        "http://127.0.0.1:8_0",
        "http://127.0.0.1:\u0669780",
        "http://127.0.0.1:" + "9" * 10_000,
        "http://127.0.0.1:9780\n",
        "http://127.0.0.1\\:9780",
        "http://127.0.0.1\0:9780",
        "http:///x",
        "HTTP://127.0.0.1:9780",
        "127.0.0.1:9780",
        "unix://relative/b.sock",
        "unix:/one/slash",
        "UNIX:///case",
        "/run/b.sock",
        "unix://",
        "unix:///" + "x" * 107,
        "unix:///" + "\u00e9" * 60,
    ],
)
def test_a_name_that_is_no_way_to_a_broker_is_refused_before_anything_is_opened(url: str):
    with pytest.raises(BadAddress, match=r"^KAKAOCLOUD_BROKER_URL [^\n]*$") as caught:
        address.find({address.VARIABLE: url})
    assert caught.value.exit_code == 69


def test_trusted_are_root_ourselves_and_the_folders_owner(tmp_path: Path):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
        assert address.trusted_owners(str(tmp_path / "s")) == {0, os.getuid(), tmp_path.stat().st_uid}
        if os.geteuid() == 0:
            os.chown(tmp_path, 54321, 54321)
            assert address.trusted_owners(str(tmp_path / "s")) == {0, 54321}


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        ("http://127.0.0.1:9780", "127.0.0.1", 9780),
        ("http://127.0.0.1:9780/", "127.0.0.1", 9780),
        ("http://127.8.9.10:1", "127.8.9.10", 1),
        ("http://[::1]:9780", "::1", 9780),
        ("http://localhost:9780", "localhost", 9780),
        ("http://127.0.0.1", "127.0.0.1", 80),
        ("http://127.0.0.1:", "127.0.0.1", 80),
        ("http://LOCALHOST:65535", "localhost", 65535),
        ("http://[0:0:0:0:0:0:0:1]:9780", "0:0:0:0:0:0:0:1", 9780),
    ],
)
def test_a_port_of_this_host_may_be_named(url: str, host: str, port: int):
    place = address.find({address.VARIABLE: url})
    assert isinstance(place, TcpAddress)
    assert (place.host, place.port) == (host, port)
    assert str(place) == f"http://{f'[{host}]' if ':' in host else host}:{port}"


def test_a_password_in_the_name_is_not_repeated():
    with pytest.raises(BadAddress) as caught:
        address.find({address.VARIABLE: "http://user:hunter2@127.0.0.1:9780"})
    assert str(caught.value) == (
        "KAKAOCLOUD_BROKER_URL must be unix:///PATH or http://127.0.0.1:PORT (also [::1] or localhost);"
        " it holds a user name or password, which the broker has no use for"
    )
