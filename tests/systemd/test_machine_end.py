"""On a real systemd: a start without an IAM, a bad configuration, and what is left after the end: nothing."""

from pathlib import Path

import pytest

from tests.systemd.conftest import Boot
from tests.systemd.machine import Machine
from tests.systemd.prepared import SOCKET, UNIT, drop_in, install, prepare

pytestmark = [pytest.mark.systemd, pytest.mark.timeout(300)]
_WAITING = """[Unit]
Requires=kakaocloud-broker.service
After=kakaocloud-broker.service
[Service]
Type=oneshot
User=app
ExecStartPre=/usr/bin/broker wait --timeout 3s
ExecStart=/usr/bin/broker token
"""
_LEFT = "find / /run /dev/shm -xdev -ignore_readdir_race -not -path '/proc/*' -not -path '/sys/*' \\( -iname '*kakaocloud*' -o -nouser -o -nogroup \\)"


def test_without_an_iam_the_unit_is_active_and_says_that_it_is_degraded(machine: Machine):
    machine.run("systemctl stop fake-iam")
    machine.run(f"systemctl start {UNIT}")
    assert machine.show(UNIT, "ActiveState") == "active"
    assert "iam_unavailable" in machine.show(UNIT, "StatusText")
    assert machine.code("broker wait --timeout 1s") == 69
    machine.run("systemctl start fake-iam")
    machine.run("broker wait --timeout 60s", timeout=90)


def test_a_unit_that_waits_for_a_token_fails_without_one_and_starts_with_one(machine: Machine):
    """As docs/systemd.md has it; `broker wait` is what its administrator decides by."""
    machine.write("/etc/systemd/system/waiting.service", _WAITING)
    machine.run(f"systemctl daemon-reload && systemctl stop {UNIT} fake-iam")
    machine.run("rm -r /run/kakaocloud-broker-state/*")
    assert machine.code("systemctl start waiting") == 1
    assert machine.show(UNIT, "ActiveState") == "active"
    assert machine.show("waiting", "Result") == "exit-code"
    told = machine.run("journalctl -u waiting -p err -o cat --no-pager")
    assert told.startswith("broker: "), told
    assert "iam_unavailable" in told, told
    machine.run(
        "systemctl start fake-iam && systemctl reset-failed waiting && broker wait --timeout 60s", timeout=90
    )
    machine.run("systemctl start waiting")
    assert machine.show("waiting", "Result") == "success"


def test_a_bad_configuration_is_not_tried_again(machine: Machine):
    file = "/etc/kakaocloud-broker/broker.toml"
    machine.run(f"cp {file} /srv/before.toml && echo 'nonsense = 1' >> {file}")
    assert machine.code(f"systemctl restart {UNIT}") != 0
    assert machine.show(UNIT, "ExecMainStatus") == "78"
    assert machine.show(UNIT, "ActiveState") == "failed"
    assert "nonsense" in machine.run(f"journalctl -u {UNIT} -p err -t kakaocloud-broker -o cat --no-pager")
    machine.run(f"cp /srv/before.toml {file} && systemctl start {UNIT}")


def test_who_connects_while_the_configuration_is_bad_has_it_tried_until_the_socket_fails_too(
    machine: Machine,
):
    """And the documented way back. The unit's own limit is fifty in a minute."""
    file = "/etc/kakaocloud-broker/broker.toml"
    machine.run(f"systemctl start {SOCKET} {UNIT}")
    drop_in(machine, "limit", "[Unit]\nStartLimitBurst=4\n")
    machine.run(f"cp {file} /srv/before.toml && echo 'nonsense = 1' >> {file}")
    machine.run(f"systemctl stop {UNIT}")
    asks = f"curl -s -m 5 -o /dev/null http://127.0.0.1:9780/livez; test $(systemctl is-active {SOCKET}) = failed"
    machine.until(asks, 60)
    assert machine.show(SOCKET, "Result") == "service-start-limit-hit"
    assert machine.code("curl -s http://127.0.0.1:9780/livez") == 7
    machine.run(
        f"cp /srv/before.toml {file} && systemctl reset-failed {SOCKET} {UNIT} && systemctl start {UNIT}"
    )
    machine.run("broker token >/dev/null")
    assert machine.run(f"systemctl is-active {SOCKET} {UNIT}") == "active\nactive"


def test_stopped_sockets_stop_the_broker_and_leave_no_file(machine: Machine):
    machine.run(f"systemctl stop {SOCKET}")
    machine.until(f"test $(systemctl is-active {UNIT}) = inactive")
    assert not machine.run("ls /run/kakaocloud-broker")
    assert machine.code("curl -s http://127.0.0.1:9780/livez") == 7
    machine.run(f"systemctl start {UNIT}")
    machine.run("broker token >/dev/null")


def test_what_was_removed_and_is_installed_again_starts(machine: Machine, package: Path):
    """Dpkg tells such an installation the version of before, as it does at an upgrade."""
    machine.run("apt-get remove -y kakaocloud-broker 2>&1")
    assert machine.run(f"systemctl is-enabled {UNIT} {SOCKET}", check=False).split() == ["masked", "masked"]
    install(machine, package)
    machine.run("setpriv --reuid app --clear-groups broker token >/dev/null")
    assert machine.run(f"systemctl is-active {SOCKET} {UNIT}") == "active\nactive"


def test_disabled_it_does_not_start_again(machine: Machine):
    machine.run(f"systemctl disable --now {UNIT} {SOCKET}")
    states = machine.run(
        f"systemctl is-enabled {UNIT} {SOCKET}; systemctl is-active {UNIT} {SOCKET}", check=False
    )
    assert states.split() == ["disabled", "disabled", "inactive", "inactive"]


def test_a_purge_leaves_nothing(boot: Boot, package: Path):
    machine = boot()
    before = set(machine.run(_LEFT).splitlines())
    install(machine, package)
    prepare(machine)
    machine.run(f"systemctl start {UNIT}")
    machine.run("broker token >/dev/null")
    # What the administrator has put in place is the administrator's.
    machine.run(
        "systemctl stop fake-iam; rm -r /etc/systemd/system/kakaocloud-broker.service.d /etc/credstore.encrypted"
    )
    machine.run("apt-get purge -y kakaocloud-broker 2>&1")
    left = set(machine.run(_LEFT).splitlines()) - before
    assert not left
    assert machine.code("getent passwd kakaocloud-broker") == 2
    assert not machine.run(
        "systemctl list-units --all --no-legend 'kakaocloud*'; systemctl --failed --no-legend"
    )
