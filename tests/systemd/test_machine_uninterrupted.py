"""Clients in a loop, while the broker is restarted, killed, stopped, upgraded and told to reload: nobody is refused."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.systemd.machine import Machine
from tests.systemd.prepared import SOCKET, UNIT, drop_in

pytestmark = [pytest.mark.systemd, pytest.mark.timeout(300)]
_LOOP = Path(__file__).with_name("looping.py")
_PROMPT_WATCHDOG = "[Service]\nWatchdogSec=3s\n"


@pytest.fixture(scope="module")
def served(machine: Machine) -> Machine:
    drop_in(machine, "watchdog", _PROMPT_WATCHDOG)
    machine.run(f"systemctl start {SOCKET} {UNIT}")
    machine.copy(_LOOP, "/srv/looping.py")
    return machine


def _while_clients_ask(machine: Machine, happens: Callable[[], None]) -> None:
    """Nobody is refused, and whose request breaks has it answered at the second attempt."""
    clients = machine.start("exec /usr/bin/python3 /srv/looping.py")
    assert clients.stdout is not None
    assert clients.stdout.readline() == "looping\n"
    happens()
    machine.until("broker token >/dev/null")
    machine.run("pkill -TERM -f '^/usr/bin/python3 /srv/looping.py'")
    told = json.loads(clients.communicate(timeout=60)[0])
    print(told)  # noqa: T201  (seen with -rP)
    for way in told.values():
        assert (way["refused"], way["lost"], way["other"]) == (0, 0, []), told
        assert way["answered"] > 20, told


def _main_pid(machine: Machine) -> int:
    return int(machine.show(UNIT, "MainPID"))


def _another_pid(machine: Machine, before: int) -> None:
    machine.until(
        f"test $(systemctl show --value -p MainPID {UNIT}) -ne {before} && systemctl is-active {UNIT}"
    )
    assert _main_pid(machine) not in {0, before}


def test_restarts(served: Machine):
    def restarts() -> None:
        for _ in range(3):
            served.run(f"systemctl restart {UNIT}")

    _while_clients_ask(served, restarts)


def test_kills(served: Machine):
    def kills() -> None:
        for _ in range(3):
            before = _main_pid(served)
            served.run(f"kill -9 {before}")
            _another_pid(served, before)

    _while_clients_ask(served, kills)


def test_a_process_that_is_stopped_is_killed_by_the_watchdog(served: Machine):
    before = _main_pid(served)

    def stops() -> None:
        served.run(f"kill -STOP {before}")
        _another_pid(served, before)

    _while_clients_ask(served, stops)
    assert "watchdog" in served.run(f"journalctl -u {UNIT} --no-pager").lower()


def test_reloads(served: Machine):
    """Each has ended when the command does, and the process is the same."""
    before = _main_pid(served)

    def reloads() -> None:
        for _ in range(5):
            served.run(f"systemctl reload {UNIT}")

    _while_clients_ask(served, reloads)
    assert _main_pid(served) == before


def test_a_reload_has_new_settings_in_force_when_it_returns(served: Machine):
    """With notify-reload; before systemd 253 a moment later."""
    if served.show(UNIT, "Type") != "notify-reload":
        pytest.skip("this systemd has no notify-reload")
    file = "/etc/kakaocloud-broker/broker.toml"
    served.run(
        f'cp {file} /srv/before.toml && sed -i \'s/"app"/"app", 65000/\' {file} && systemctl reload {UNIT}'
    )
    served.run("setpriv --reuid 65000 --clear-groups broker token >/dev/null")
    served.run(f"cp /srv/before.toml {file} && systemctl reload {UNIT}")
    assert served.code("setpriv --reuid 65000 --clear-groups broker token") == 77


def test_an_upgrade_of_the_package(served: Machine, newer: Path):
    before = _main_pid(served)
    served.copy(newer, "/srv/newer.deb")
    _while_clients_ask(served, lambda: print(served.run("dpkg -i --force-confold /srv/newer.deb")))  # noqa: T201
    assert served.run("dpkg-query -W -f '${Version}' kakaocloud-broker").endswith("-9999")
    assert _main_pid(served) not in {0, before}
