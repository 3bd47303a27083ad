"""The broker of one user, by that user's own manager: the examples beside the documentation, as they tell to be used."""

import json

import pytest

from tests.systemd.machine import Machine
from tests.systemd.prepared import KEY_ID, KEY_SECRET

pytestmark = [pytest.mark.systemd, pytest.mark.timeout(300)]
_EXAMPLES = "/opt/kakaocloud-broker/share/doc"
_UNITS = "/home/owner/.config/systemd/user"
_SETTINGS = """[iam]
url = "http://127.0.0.1:9770/identity/v3"
[identities.default]
keys = ["/home/owner/.config/kakaocloud-broker/key.toml"]
[[listen]]
unix = "/run/user/{uid}/kakaocloud-broker/broker.sock"
"""


class Owner:
    """A user who is logged in."""

    def __init__(self, machine: Machine) -> None:
        machine.run("useradd --create-home --shell /bin/sh owner")
        self.machine = machine
        self.uid = machine.run("id -u owner")
        machine.run(f"systemctl start user@{self.uid}")

    def _as_owner(self, command: str) -> str:
        environment = f"env -i PATH=/usr/bin HOME=/home/owner XDG_RUNTIME_DIR=/run/user/{self.uid}"
        return f"setpriv --reuid owner --regid owner --init-groups {environment} {command}"

    def run(self, command: str) -> str:
        return self.machine.run(self._as_owner(command))

    def code(self, command: str) -> int:
        return self.machine.code(self._as_owner(command))

    def has(self, path: str, content: str) -> None:
        """A file of theirs, closed to others."""
        self.machine.write(path, content, 0o600)
        self.machine.run("chown -R owner:owner /home/owner")

    def show(self, name: str) -> str:
        return self.run(f"systemctl --user show --value -p {name} kakaocloud-broker.service")


@pytest.fixture(scope="module")
def owner(machine: Machine) -> Owner:
    """One whose broker's socket is enabled."""
    owner = Owner(machine)
    for kind in ("service", "socket"):
        example = machine.run(f"cat {_EXAMPLES}/kakaocloud-broker.user.{kind}")
        owner.has(f"{_UNITS}/kakaocloud-broker.{kind}", f"{example}\n")
    config = "/home/owner/.config/kakaocloud-broker"
    owner.has(f"{config}/key.toml", f'id = "{KEY_ID}"\nsecret = "{KEY_SECRET}"\n')
    owner.has(f"{config}/broker.toml", _SETTINGS.format(uid=owner.uid))
    owner.run("systemctl --user daemon-reload")
    owner.run("systemctl --user enable --now kakaocloud-broker.socket")
    return owner


def test_systemd_finds_nothing_wrong_with_the_units(owner: Owner):
    assert not owner.run(f"systemd-analyze --user verify {_UNITS}/kakaocloud-broker.service")


def test_the_first_program_that_asks_starts_it_without_being_told_where_it_is(owner: Owner):
    assert owner.show("ActiveState") == "inactive"
    assert owner.run("broker token").startswith("gAAAA")
    assert owner.show("ActiveState") == "active"
    assert owner.show("StatusText").startswith("1 identity, next refresh in")


def test_nobody_else_comes_near_it(owner: Owner):
    path = f"/run/user/{owner.uid}/kakaocloud-broker/broker.sock"
    assert owner.machine.run(f"stat -c '%U %a' {path}") == "owner 600"
    asked = f"setpriv --reuid app --clear-groups env KAKAOCLOUD_BROKER_URL=unix://{path} broker token"
    assert owner.machine.code(asked) in {69, 77}


def test_a_restart_and_a_reload_keep_the_token(owner: Owner):
    before = owner.run("broker token")
    owner.run("systemctl --user restart kakaocloud-broker.service")
    assert owner.run("broker token") == before
    owner.run("systemctl --user reload kakaocloud-broker.service")
    assert owner.run("broker token") == before
    assert owner.show("NRestarts") == "0"


def test_its_log_has_fields_in_the_journal(owner: Owner):
    lines = owner.machine.run(
        "journalctl _SYSTEMD_USER_UNIT=kakaocloud-broker.service KAKAOCLOUD_BROKER_EVENT=token_issued -o json"
    )
    (line,) = map(json.loads, lines.splitlines())
    assert (line["PRIORITY"], line["_UID"]) == ("6", owner.uid)


def test_a_stopped_socket_stops_it_and_is_gone(owner: Owner):
    owner.run("systemctl --user stop kakaocloud-broker.socket")
    owner.machine.until(f"! ls /run/user/{owner.uid}/kakaocloud-broker/broker.sock")
    assert owner.show("ActiveState") in {"inactive", "deactivating"}
    assert owner.code("broker token") == 69
