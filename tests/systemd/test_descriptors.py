"""Sockets that are handed over: taken by their addresses, refused where nobody would answer, kept by who opened them."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from broker.core.errors import ConfigError
from broker.openings import openings
from broker.settings import Settings
from broker.systemd import descriptors
from broker.systemd.descriptors import Passed, lent, passed

ME = str(os.getpid())


@pytest.fixture
def first(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Descriptors 3 and on are the runner's: here they begin far above."""
    number = 600
    monkeypatch.setattr(descriptors, "_FIRST", number)
    yield number
    for descriptor in range(number, number + 5):
        try:
            os.close(descriptor)
        except OSError:
            continue


@contextmanager
def given(first: int, *sockets: socket.socket) -> Iterator[None]:
    """These stand at the numbers from `first` on, as systemd leaves them: inheritable."""
    for index, each in enumerate(sockets):
        os.dup2(each.fileno(), first + index, inheritable=True)
    yield


def unix(path: Path) -> socket.socket:
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(path))
    listening.listen(8)
    return listening


def tcp(host: str = "127.0.0.1") -> socket.socket:
    return socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET)


def environ(count: int, names: str = "") -> dict[str, str]:
    return {"LISTEN_PID": ME, "LISTEN_FDS": str(count), "LISTEN_FDNAMES": names, "HOME": "/"}


def test_each_is_known_by_the_address_that_the_kernel_has(tmp_path: Path, first: int):
    with unix(tmp_path / "s") as one, tcp() as two, tcp("::1") as three, given(first, one, two, three):
        variables = environ(3, "socket:ipv4:ipv6")
        found = passed(variables)
        assert variables == {"HOME": "/"}
        assert {label: its.name for label, its in found.items()} == {
            str(tmp_path / "s"): "socket",
            f"127.0.0.1:{two.getsockname()[1]}": "ipv4",
            f"[::1]:{three.getsockname()[1]}": "ipv6",
        }
        for its in found.values():
            assert not its.socket.get_inheritable()
            assert not its.socket.getblocking()
            its.socket.close()


@pytest.mark.parametrize(
    "variables",
    [{}, {"LISTEN_PID": "1", "LISTEN_FDS": "1"}, {"LISTEN_PID": ME, "LISTEN_FDS": "x"}],
    ids=["none", "another's", "no number"],
)
def test_those_of_another_process_are_not_ours(variables: dict[str, str]):
    assert passed(variables) == {}
    assert variables == {}


def test_what_does_not_listen_for_streams_is_refused_by_its_name(tmp_path: Path, first: int):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as datagrams:
        datagrams.bind(str(tmp_path / "d"))
        with given(first, datagrams), pytest.raises(ConfigError, match=r"the socket mine .* ListenStream="):
            passed(environ(1, "mine"))


def test_what_is_no_socket_is_refused(first: int):
    with pytest.raises(ConfigError, match=rf"descriptor {first} .* is no socket"):
        passed(environ(1))


def settings(*listen: dict[str, object]) -> Settings:
    return Settings.model_validate(
        {"listen": list(listen), "identities": {"default": {"keys": ["/nowhere"]}}}
    )


def test_what_no_listener_of_the_settings_has_is_refused(tmp_path: Path, first: int):
    with unix(tmp_path / "other") as one, given(first, one):
        found = passed(environ(1, "other.socket"))
        with pytest.raises(ConfigError, match=r"the socket other.socket .* no \[\[listen\]\] has"):
            list(openings(settings({"unix": str(tmp_path / "s")}), passed=found))
        found[str(tmp_path / "other")].socket.close()


@pytest.mark.parametrize(
    ("made", "settings", "told"),
    [
        (0o666, {}, None),
        (0o660, {"mode": "0666"}, None),
        (0o600, {"mode": "0660", "group": "12345"}, None),
        (0o640, {"mode": "0660", "group": "12345"}, None),  # to read is not to connect
        (0o666, {"mode": "0660"}, "has mode 0666, and the settings say 0660"),
        (0o660, {"mode": "0600"}, "has mode 0660, and the settings say 0600"),
        (0o660, {"mode": "0660", "group": "12345"}, f"is of group {os.getgid()}, and the settings say 12345"),
        (0o660, {"mode": "0660", "group": str(os.getgid())}, None),
    ],
)
def test_a_socket_that_lets_more_connect_than_the_settings_say_is_refused(
    tmp_path: Path, made: int, settings: dict[str, str], told: str | None
):
    """With `any = true` whoever connects has the token."""
    with unix(tmp_path / "s") as one:
        (tmp_path / "s").chmod(made)
        tree = Settings.model_validate(
            {
                "listen": [{"unix": str(tmp_path / "s"), **settings}],
                "identities": {"default": {"keys": ["/k"]}},
            }
        )
        its = {str(tmp_path / "s"): Passed("name", str(tmp_path / "s"), one)}
        if told is None:
            assert len(list(openings(tree, passed=its))) == 1
        else:
            with pytest.raises(ConfigError, match=told):
                list(openings(tree, passed=its))


def test_a_listener_takes_its_socket_and_leaves_it_and_who_waits_there(tmp_path: Path, first: int):
    """Rule: across a restart nobody is refused, because the queue in front of the socket stays."""
    path = tmp_path / "s"
    with unix(path) as one, tcp() as two, given(first, one, two):
        found = passed(environ(2))
        port = two.getsockname()[1]
        chosen = settings({"unix": str(path)}, {"tcp": f"127.0.0.1:{port}"})
        for opening in openings(chosen, passed=found):
            with opening as (doorway, listening):
                assert listening is found[doorway.label].socket
        assert path.is_socket()
        for address in (str(path), ("127.0.0.1", port)):
            with socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET) as client:
                client.settimeout(5)
                client.connect(address)


def test_the_rest_of_the_listeners_is_opened_as_ever(tmp_path: Path, first: int):
    with unix(tmp_path / "s") as one, given(first, one):
        chosen = settings({"unix": str(tmp_path / "s")}, {"unix": str(tmp_path / "t")})
        for opening in openings(chosen, passed=passed(environ(1))):
            with opening as (doorway, _):
                assert Path(doorway.label).is_socket()
        assert not (tmp_path / "t").exists()
        assert (tmp_path / "s").exists()


def test_lent_is_closed_at_the_end(tmp_path: Path, first: int):
    with unix(tmp_path / "s") as one, given(first, one):
        its = passed(environ(1))[str(tmp_path / "s")]
        with lent(its) as listening:
            assert listening.fileno() == first
        assert listening.fileno() == -1
