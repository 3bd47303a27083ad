"""The way of docs/systemd.md to replace a key that systemd decrypts: beside the old one, by a restart, with the sockets open."""

import json

import pytest

from tests.systemd.machine import Machine
from tests.systemd.prepared import KEY_ID, SETTINGS, UNIT, drop_in

pytestmark = [pytest.mark.systemd, pytest.mark.timeout(300)]
_FOLDER = "/run/credentials/kakaocloud-broker.service"
_ENCRYPTED = "/etc/credstore.encrypted/kakaocloud-broker.next.toml"


def test_a_key_is_replaced_without_a_moment_without_a_token(machine: Machine):
    machine.run(f"systemctl start {UNIT} && broker token >/dev/null")
    made = json.loads(machine.run("curl -sf -d '{}' http://127.0.0.1:9770/_fake/keys"))
    key = f'id = "{made["id"]}"\nsecret = "{made["secret"]}"\n'
    machine.write("/srv/next", key, 0o600)
    machine.run(f"systemd-creds encrypt --name=next.toml /srv/next {_ENCRYPTED} && rm /srv/next")
    drop_in(machine, "next", f"[Service]\nLoadCredentialEncrypted=next.toml:{_ENCRYPTED}\n")
    both = SETTINGS.replace('default.toml"]', f'default.toml", "{_FOLDER}/next.toml"]')
    machine.write("/etc/kakaocloud-broker/broker.toml", both)

    before = machine.run("broker token")
    machine.run(f"systemctl restart {UNIT}")
    assert machine.run("broker token") == before, "the token is not kept"

    machine.run(f"curl -sf -X DELETE http://127.0.0.1:9770/_fake/keys/{KEY_ID}")
    machine.run("broker token | broker reject", check=False)
    machine.until("broker status --json | grep -q standby_key_in_use")
    assert machine.run("broker token") != before
