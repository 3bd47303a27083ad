"""On a real systemd: what its administrator sees of the units, of a first start and of the state, and what depends on the broker."""

import json

import pytest

from tests.systemd.machine import Machine
from tests.systemd.prepared import KEY_SECRET, SOCKET, UNIT

pytestmark = [pytest.mark.systemd, pytest.mark.timeout(300)]
_UNITS = "/usr/lib/systemd/system"
_DEPENDENT = """[Unit]
Requires=kakaocloud-broker.service
After=kakaocloud-broker.service
[Service]
Type=oneshot
ExecStart=/usr/bin/broker token
"""


def test_systemd_finds_nothing_wrong_with_the_units(machine: Machine):
    """Unknown keys are only printed, so any word is a failure."""
    assert not machine.run(f"systemd-analyze verify {_UNITS}/{UNIT} {_UNITS}/{SOCKET}")


def test_the_exposure_is_at_most_1_6(machine: Machine):
    machine.run(f"systemd-analyze security --threshold=16 {UNIT}")


def test_a_unit_that_needs_the_broker_has_a_token_in_its_first_line(machine: Machine):
    """It starts the broker, whose first start this is, with a key that systemd has decrypted."""
    machine.write("/etc/systemd/system/dependent.service", _DEPENDENT)
    machine.run("systemctl daemon-reload")
    machine.run("systemctl start dependent")
    assert machine.show("dependent", "Result") == "success"
    assert machine.run(f"systemctl is-active {UNIT} {SOCKET}") == "active\nactive"


def test_the_state_is_one_line_of_the_status(machine: Machine):
    text = machine.show(UNIT, "StatusText")
    assert text.startswith("1 identity, next refresh in")
    assert text in machine.run(f"systemctl status {UNIT}")


def test_the_key_is_in_no_file_that_stays(machine: Machine):
    found = machine.run(
        f"grep -rlF {KEY_SECRET} /etc /var /run --exclude-dir=credentials --exclude=iam-secret", check=False
    )
    assert not found


def _entries(machine: Machine, event: str) -> list[dict[str, str]]:
    said = machine.run(f"journalctl -u {UNIT} -t kakaocloud-broker KAKAOCLOUD_BROKER_EVENT={event} -o json")
    return [json.loads(line) for line in said.splitlines()]


def test_the_journal_has_the_log_and_the_audit_trail_with_fields_and_priorities(machine: Machine):
    machine.run("setpriv --reuid app --clear-groups broker token >/dev/null")
    assert machine.code("setpriv --reuid 65000 --clear-groups broker token") == 77
    (issued,) = _entries(machine, "token_issued")
    assert (issued["PRIORITY"], issued["KAKAOCLOUD_BROKER_IDENTITY"]) == ("6", "default")
    assert issued["MESSAGE"].startswith("token_issued identity=default token_sha256=")
    (denied,) = _entries(machine, "refused")
    assert (denied["PRIORITY"], denied["KAKAOCLOUD_BROKER_UID"]) == ("4", "65000")
    given = _entries(machine, "token")
    assert machine.run("id -u app") in {line["KAKAOCLOUD_BROKER_UID"] for line in given}
    assert {line["PRIORITY"] for line in given} == {"6"}
    (refusal,) = _entries(machine, "refusal")
    assert (refusal["PRIORITY"], refusal["KAKAOCLOUD_BROKER_BY"]) == ("5", "no grant")


def test_a_connection_starts_the_broker(machine: Machine):
    machine.run(f"systemctl stop {UNIT}")
    assert machine.run(f"systemctl is-active {UNIT}", check=False) == "inactive"
    assert (
        machine.run("curl -s -o /dev/null -w '%{http_code}' -H 'Metadata: true' 'http://[::1]:9780/v1/token'")
        == "200"
    )
    assert machine.show(UNIT, "ActiveState") == "active"


@pytest.mark.parametrize(
    "way",
    [
        "--unix-socket /run/kakaocloud-broker/broker.sock http://broker",
        "http://127.0.0.1:9780",
        "http://[::1]:9780",
    ],
)
def test_each_socket_serves_whom_a_grant_names_and_nobody_else(machine: Machine, way):
    asked = f"curl -gs -o /dev/null -w '%{{http_code}}' -H 'Metadata: true' {way}/v1/token"
    assert machine.run(f"setpriv --reuid app --clear-groups {asked}") == "200"
    assert machine.run(f"setpriv --reuid 65000 --clear-groups {asked}") == "403"


def test_the_sealed_cache_outlives_the_broker(machine: Machine):
    issued = "curl -s http://127.0.0.1:9770/_fake/ | grep -A1 '\"issue\"'"
    before = machine.run(issued)
    assert '"arrived": 1' in before
    machine.run(f"systemctl restart {UNIT}")
    machine.run("broker token >/dev/null")
    assert machine.run(issued) == before
    assert machine.run("stat -c '%a %U' /run/kakaocloud-broker-state") == "700 kakaocloud-broker"
    assert "default.sealed" in machine.run("ls /run/kakaocloud-broker-state")
