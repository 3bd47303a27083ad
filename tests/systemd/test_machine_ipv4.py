"""A machine on which IPv6 is turned off: the address that nobody can reach is left out, and the rest works."""

import json

import pytest

from tests.systemd.machine import Machine
from tests.systemd.prepared import SOCKET, UNIT

pytestmark = [pytest.mark.systemd, pytest.mark.timeout(300)]


def test_the_other_address_and_the_socket_are_served_and_nothing_is_an_error(machine: Machine):
    machine.run("sysctl -qw net.ipv6.conf.all.disable_ipv6=1")
    machine.run(f"systemctl start {SOCKET} {UNIT} && broker token >/dev/null")
    asked = "curl -s -o /dev/null -w '%{http_code}' -H 'Metadata: true' http://127.0.0.1:9780/v1/token"
    assert machine.run(asked) == "200"
    (left_out,) = machine.run(
        f"journalctl -u {UNIT} KAKAOCLOUD_BROKER_EVENT=listener_left_out -o json"
    ).splitlines()
    assert json.loads(left_out)["KAKAOCLOUD_BROKER_LISTENER"] == "[::1]:9780"
    assert "No entries" in machine.run(f"journalctl -u {UNIT} -p err")
