"""Listeners as they are written: which are good, and the sentences of those that are not."""

from pathlib import Path

import pytest

from broker.settings import Address, TcpListener, load
from tests.settings.broken import GOOD, told_of

EXAMPLES = 'write it like "127.0.0.1:9780" or "[::1]:9780"'
NO_PORT = f"is not an address with a port; {EXAMPLES}"
ONLY = "tokens are served on Unix sockets and loopback only"
NOT_A_SERVICE = "is not one of the words known here; choose 'tokens', 'health' or 'metrics'"
COVERED = "F, listen: names an address that another one covers; keep one of the two, or change a port"


def tcp(address: str, *lines: str) -> str:
    return "\n".join(["[[listen]]", f'tcp = "{address}"', *lines, ""])


@pytest.mark.parametrize(
    ("text", "label", "loopback"),
    [
        ("127.0.0.1:9780", "127.0.0.1:9780", True),
        ("127.9.9.9:1", "127.9.9.9:1", True),
        ("[::1]:9780", "[::1]:9780", True),
        ("[0:0:0::1]:09780", "[::1]:9780", True),
        ("0.0.0.0:9781", "0.0.0.0:9781", False),
        ("[FD00::1]:65535", "[fd00::1]:65535", False),
        ("127.0.0.1:0", "127.0.0.1:0", True),
    ],
)
def test_an_address_has_one_form(tmp_path: Path, text: str, label: str, loopback: bool):
    path = tmp_path / "broker.toml"
    path.write_text(GOOD + tcp(text, 'serve = ["health"]'))
    listener = load(path, {}).listen[1]
    assert isinstance(listener, TcpListener)
    assert (listener.label, listener.is_tcp, listener.tcp.is_loopback) == (label, True, loopback)


@pytest.mark.parametrize("path", ["/x/a.sock", "//x/a.sock", "///x//a.sock", "/x/./a.sock", "/./x/.//a.sock"])
def test_a_socket_has_one_form(tmp_path: Path, path: str):
    """Also where a grant names it; else two names of one socket would be judged as two listeners."""
    file = tmp_path / "broker.toml"
    addition = (
        f'[[listen]]\nunix = "{path}"\n[[grants]]\nidentity = "default"\nany = true\nlisteners = ["{path}"]\n'
    )
    file.write_text(GOOD + addition)
    settings = load(file, {})
    assert (settings.listen[1].label, settings.grants[0].listeners) == ("/x/a.sock", ("/x/a.sock",))


def test_all_is_served_where_nothing_is_said(tmp_path: Path):
    path = tmp_path / "broker.toml"
    path.write_text(GOOD + tcp("127.0.0.1:1"))
    for listener in load(path, {}).listen:
        assert (listener.serve, listener.identities) == (("tokens", "health", "metrics"), None)


def test_by_default_only_the_newer_loopback_may_be_missing():
    settings = load(
        None,
        {
            "KAKAOCLOUD_APPLICATION_CREDENTIAL_ID": "x",
            "KAKAOCLOUD_APPLICATION_CREDENTIAL_SECRET": "x",
            "RUNTIME_DIRECTORY": "/run/x",
        },
    )
    _, *addresses = settings.listen
    assert [
        (listener.tcp, listener.if_available) for listener in addresses if isinstance(listener, TcpListener)
    ] == [(Address("127.0.0.1", 9780), False), (Address("::1", 9780), True)]


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("localhost:9780", f"holds a name, not an address; {EXAMPLES}"),
        ("127.1:9780", f"holds a name, not an address; {EXAMPLES}"),
        ("127.0.0.1", NO_PORT),
        ("::1:9780", NO_PORT),
        ("[127.0.0.1]:9780", NO_PORT),
        (":9780", NO_PORT),
        ("127.0.0.1:-1", NO_PORT),
        ("127.0.0.1:٣", NO_PORT),
        ("127.0.0.1:65536", "has a port that does not exist; choose one between 1 and 65535"),
        ("[::ffff:127.0.0.1]:1", f"is an IPv4 address in IPv6 form, or has a zone; {EXAMPLES}"),
        ("[fe80::1%eth0]:1", f"is an IPv4 address in IPv6 form, or has a zone; {EXAMPLES}"),
    ],
)
def test_an_address_that_is_none(tmp_path: Path, address: str, told: str):
    assert told_of(tcp(address), tmp_path) == [f"F, listen[1].tcp: {told}"]


@pytest.mark.parametrize(
    ("addition", "told"),
    [
        ("[[listen]]\ntcp = 9780\n", ["F, listen[1].tcp: is not text; put the value in quotes"]),
        (
            tcp("0.0.0.0:1"),
            [f'F, listen[1]: does not say what it serves, and {ONLY}; add serve = ["health", "metrics"]'],
        ),
        (
            tcp("0.0.0.0:1", 'serve = ["health", "tokens"]'),
            [f'F, listen[1].serve: {ONLY}; take "tokens" out here, or listen on 127.0.0.1 or [::1]'],
        ),
        (
            tcp("127.0.0.1:1", 'serve = ["status"]'),
            [f"F, listen[1].serve[0]: {NOT_A_SERVICE}"],
        ),
        (
            tcp("127.0.0.1:1", "serve = []", "identities = []"),
            [
                "F, listen[1].serve: serves nothing; name tokens, health or metrics, or leave it out",
                "F, listen[1].identities: names no identity; name one, or leave it out for all of them",
            ],
        ),
        (
            tcp("127.0.0.1:1", 'identities = ["default", "shop"]'),
            [
                (
                    "F, listen[1].identities[1]: is no identity of this configuration; "
                    "correct the name, or add [identities.NAME]"
                )
            ],
        ),
        (
            tcp("127.0.0.1:0", 'identities = ["default"]'),
            ["F, listen[1]: limits an address without a fixed port to identities; choose a port"],
        ),
        (
            tcp("127.0.0.1:1", 'mode = "0600"', 'group = "0"'),
            [
                "F, listen[1].mode: is for Unix sockets only; remove it",
                "F, listen[1].group: is for Unix sockets only; remove it",
            ],
        ),
        (
            tcp("127.0.0.1:1", "if_available = true"),
            [
                (
                    "F, listen[1].if_available: is not a known setting; "
                    "known here: unix, mode, group, serve, identities, tcp"
                )
            ],
        ),
        (
            tcp("127.0.0.1:1", 'unix = "/t"'),
            [
                (
                    "F, listen[1].tcp: stands beside `unix`; "
                    "keep one of the two, or give each a [[listen]] of its own"
                )
            ],
        ),
        (
            '[[listen]]\ntpc = "127.0.0.1:1"\n',
            [
                "F, listen[1]: names neither `unix` nor `tcp`; give one of the two",
                "F, listen[1].tpc: is not a known setting; did you mean `listen[1].tcp`?",
            ],
        ),
        (
            tcp("[::1]:1") + tcp("[0::1]:1"),
            ["F, listen: names one address twice; keep one of the two"],
        ),
        (tcp("127.0.0.1:1") + tcp("0.0.0.0:1", 'serve = ["health"]'), [COVERED]),
        (tcp("[::]:1", 'serve = ["health"]') + tcp("[::1]:1"), [COVERED]),
    ],
)
def test_a_broken_listener(tmp_path: Path, addition: str, told: list[str]):
    assert told_of(addition, tmp_path) == told


def test_the_two_kinds_of_address_stand_beside_each_other(tmp_path: Path):
    path = tmp_path / "broker.toml"
    path.write_text(GOOD + tcp("127.0.0.1:1") + tcp("[::]:1", 'serve = ["metrics"]'))
    assert [listener.label for listener in load(path, {}).listen] == ["/s", "127.0.0.1:1", "[::]:1"]
