"""The example for the socket's owner: who may connect at all is decided by the file system, before any grant."""

import pytest

from tests.systemd.machine import Machine
from tests.systemd.prepared import SETTINGS, SOCKET, UNIT

pytestmark = [pytest.mark.systemd, pytest.mark.timeout(300)]
_PATH = "/run/kakaocloud-broker/broker.sock"
_LISTEN = f'[[listen]]\nunix = "{_PATH}"\nmode = "0660"\ngroup = "app"\n'


def test_the_group_may_connect_and_nobody_else_and_loopback_is_closed(machine: Machine):
    machine.run(f"systemctl start {SOCKET} {UNIT} && broker token >/dev/null")
    without = "\n".join(["[Socket]", "ListenStream=", f"ListenStream={_PATH}", ""])
    folder = f"/etc/systemd/system/{SOCKET}.d"
    machine.write(f"{folder}/owner.conf", without)
    machine.write("/etc/kakaocloud-broker/broker.toml", SETTINGS + _LISTEN)
    machine.run(f"systemctl daemon-reload && systemctl stop {SOCKET}")
    assert machine.code(f"systemctl start {UNIT}") == 1, (
        "everybody may connect, which the settings do not want"
    )
    assert "has mode 0666, and the settings say 0660" in machine.run(f"journalctl -u {UNIT} -p err -o cat")
    machine.run(
        f"install -D -m 0644 /opt/kakaocloud-broker/share/doc/socket-owner.conf {folder}/owner.conf && systemctl daemon-reload"
    )
    machine.run(f"systemctl reset-failed; systemctl restart {SOCKET}")
    assert machine.run(f"stat -c '%U %G %a' {_PATH}") == "root app 660"
    machine.run("setpriv --reuid app --regid app --clear-groups broker token >/dev/null")
    machine.run("broker token >/dev/null")
    assert machine.run(f"systemctl is-active {UNIT}") == "active"
    said = machine.run("setpriv --reuid 65000 --clear-groups broker token", check=False)
    assert said.startswith("broker: "), said
    assert "you may not connect" in said, said
    assert machine.code("curl -s http://127.0.0.1:9780/livez") == 7
