"""`broker doctor` and `broker check` on a machine: what they say of a healthy unit, and of one that somebody has hurt."""

import json
from collections.abc import Iterator

import pytest

from tests.systemd.machine import Machine
from tests.systemd.prepared import SETTINGS, SOCKET, UNIT

pytestmark = [pytest.mark.systemd, pytest.mark.timeout(300)]
_FILE = "/etc/kakaocloud-broker/broker.toml"
_AS_BROKER = "setpriv --reuid kakaocloud-broker --regid kakaocloud-broker --clear-groups"


@pytest.fixture
def healthy(machine: Machine) -> Iterator[Machine]:
    """A broker that serves, and does so again afterwards."""
    machine.run(f"systemctl start {SOCKET} {UNIT} && broker wait --timeout 20s")
    yield machine
    machine.write(_FILE, SETTINGS)
    machine.run("systemctl start fake-iam")
    machine.run(f"systemctl reset-failed {UNIT} {SOCKET}", check=False)


def examined(machine: Machine, whom: str = "") -> tuple[int, list[str]]:
    """Its exit code, and its findings; each that is not well has its remedy."""
    said = machine.run(f"{whom} broker doctor --json; echo $?", check=False)
    tree, _, code = said.rpartition("\n")
    findings = json.loads(tree)["findings"]
    assert not [one for one in findings if one["level"] != "ok" and not one["remedy"]]
    return int(code), [f"{one['level']}: {one['about']}: {one['says']}" for one in findings]


def has(findings: list[str], *parts: str) -> bool:
    return all(any(part in finding for finding in findings) for part in parts)


@pytest.mark.parametrize("whom", ["", _AS_BROKER, "setpriv --reuid app --clear-groups"])
def test_of_a_healthy_unit_it_finds_no_problem_whoever_asks(healthy: Machine, whom: str):
    code, findings = examined(healthy, whom)
    assert code == 0, findings
    assert not [one for one in findings if one.startswith("problem")]
    assert has(
        findings,
        f"ok: systemd: {UNIT} is active",
        f"ok: systemd: {SOCKET} listens",
        "ok: port [::1]:9780: the kernel proves callers here",
        "ok: broker: ready",
        "ok: token of default: handed to this user in" if whom != _AS_BROKER else "warning: token",
        "ok: IAM 127.0.0.1: port 9770 connected",
        "warning: clock: nothing synchronises it",
        "comes from systemd",
    ), findings


def test_of_stopped_units_it_says_that_they_are_stopped_and_no_more(healthy: Machine):
    healthy.run(f"systemctl stop {SOCKET}")
    healthy.until(f"test $(systemctl is-active {UNIT}) = inactive")
    code, findings = examined(healthy)
    assert code == 69, findings
    assert has(findings, f"problem: systemd: {UNIT} is not started"), findings


def test_of_a_failed_unit_and_bad_settings_it_tells_both(healthy: Machine):
    healthy.run(f"echo 'nonsense = 1' >> {_FILE}; systemctl restart {UNIT}", check=False)
    code, findings = examined(healthy)
    assert code == 1, findings
    assert has(findings, f"problem: systemd: {UNIT} has failed", "nonsense"), findings


def test_of_a_stopped_iam_it_says_that_nobody_answers_there(healthy: Machine):
    healthy.run("systemctl stop fake-iam")
    code, findings = examined(healthy)
    assert code == 1, findings
    assert has(findings, "problem: IAM 127.0.0.1: ", "ok: token of default"), findings


def test_of_settings_and_socket_units_that_do_not_go_together_it_names_the_address(healthy: Machine):
    more = '[[listen]]\nunix = "/run/kakaocloud-broker/broker.sock"\n[[listen]]\ntcp = "127.0.0.1:9799"\n'
    healthy.write(_FILE, f"{SETTINGS}{more}")
    code, findings = examined(healthy)
    assert code == 1, findings
    assert has(findings, f"problem: systemd: {SOCKET} listens at 127.0.0.1:9780, which no [[listen]] has"), (
        findings
    )


def test_check_leads_to_the_way_to_replace_a_key_that_systemd_decrypts(healthy: Machine):
    lead = "put the next key beside it, not over it, and run systemctl restart"
    unseen = "was not looked at: systemd makes it for the unit alone"
    said = healthy.run("broker check")
    assert lead in said
    assert unseen not in said
    healthy.run(f"systemctl stop {SOCKET} {UNIT}")
    said = healthy.run("broker check")
    assert lead in said
    assert unseen in said
