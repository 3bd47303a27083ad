"""With the seccomp filter and all hardening on, every feature works: what is served, what is written, what is run."""

import json
import re
from collections.abc import Iterator

import pytest

from tests.systemd.machine import Machine
from tests.systemd.prepared import SETTINGS, SOCKET, UNIT, drop_in

pytestmark = [pytest.mark.systemd, pytest.mark.timeout(300)]
_MORE = """
[[grants]]
identity = "default"
units = ["granted.service"]
[[files]]
path = "/run/app/token"
group = "app"
mode = "0640"
on_change = ["/bin/sh", "-c", "wc -c < /run/app/token > /run/app/hooked; curl -gs http://[::1]:9780/livez >> /run/app/hooked"]
[[files]]
path = "/run/app/templated"
template = "/etc/kakaocloud-broker/app.j2"
"""
_TRACE = "/run/kakaocloud-broker-state/trace"
# -D: the broker stays the process that systemd started, and its sockets are for that one alone.
_TRACED = f"""[Service]
SystemCallFilter=
ExecStart=
ExecStart=/usr/bin/strace -D -f -qq -o {_TRACE} -e signal=none /opt/kakaocloud-broker/bin/broker run
WatchdogSec=0
"""


@pytest.fixture(scope="module")
def everything(machine: Machine) -> Iterator[Machine]:
    """A broker with all features, hardened as the package has it, plus what docs/systemd.md tells for token files."""
    settings = SETTINGS.replace('"journald"', '"/var/log/kakaocloud-broker/audit.log"')
    machine.write("/etc/kakaocloud-broker/broker.toml", f"{settings}{_MORE}")
    machine.write("/etc/kakaocloud-broker/app.j2", "token={{ token }}\n")
    machine.write("/etc/tmpfiles.d/app.conf", "d /run/app 2770 kakaocloud-broker app -\n")
    machine.run("systemd-tmpfiles --create app.conf")
    drop_in(machine, "files", machine.run("cat /opt/kakaocloud-broker/share/doc/files.conf"))
    machine.run(f"systemctl start {UNIT} && broker wait --timeout 20s")
    yield machine
    said = machine.run(f"journalctl -u {UNIT} --no-pager")
    assert "Traceback" not in said
    # The kernel's or Python's words for a call that the filter refused.
    assert "Operation not permitted" not in said, said


def test_token_files_have_their_group_and_mode(everything: Machine):
    everything.until("test -s /run/app/token")
    assert everything.run("stat -c '%U %G %a' /run/app/token") == "kakaocloud-broker app 640"
    assert everything.run("setpriv --reuid app --regid app --clear-groups cat /run/app/token").startswith(
        "gAAAA"
    )
    assert everything.run("cat /run/app/templated").startswith("token=gAAAA")


def test_commands_run_and_use_the_network(everything: Machine):
    size, answer = everything.until("grep -q '{' /run/app/hooked && cat /run/app/hooked").split("\n", 1)
    assert int(size) > 100
    assert json.loads(answer)


def test_the_audit_trail_is_written(everything: Machine):
    everything.run("broker token >/dev/null")
    lines = everything.until("grep default /var/log/kakaocloud-broker/audit.log").splitlines()
    assert json.loads(lines[-1])


def test_the_facade_and_s3_and_metrics(everything: Machine):
    login = {"auth": {"identity": {"methods": ["application_credential"],
                                   "application_credential": {"id": "default", "secret": "any"}}}}  # fmt: skip
    everything.write("/srv/login", json.dumps(login))
    for host in ("127.0.0.1", "[::1]"):
        asked = f"curl -gs -H 'Content-Type: application/json' -d @/srv/login -o /dev/null -w '%{{http_code}}' http://{host}:9780"
        assert everything.run(f"{asked}/identity/v3/auth/tokens") == "201"
        assert "broker_token_remaining_seconds" in everything.run(f"curl -gs http://{host}:9780/metrics")
    assert "AccessKeyId" in everything.run("broker s3-credentials")
    assert everything.run("broker projects")
    assert "default" in everything.run("broker status")


def test_a_grant_to_a_unit_holds(everything: Machine):
    """Which needs the /proc of other users, and a user namespace that is the machine's."""
    everything.run("useradd --system other")
    run = "systemd-run --quiet --wait --pipe -p User=other -p Group=other --unit={} /usr/bin/broker token"
    everything.run(run.format("granted"))
    assert everything.code(run.format("not-granted")) == 77


def test_a_report_is_looked_into(everything: Machine):
    """`broker reject` has IAM asked."""
    assert "still_valid" in everything.run("broker token | broker reject")


def test_every_system_call_is_in_the_filter(everything: Machine):
    """Measured by a tracer in a run with every feature, without the filter; so that it holds for other Pythons, by name."""
    allowed = set(everything.show(UNIT, "SystemCallFilter").split())
    drop_in(everything, "zz-traced", _TRACED)
    everything.run("rm /run/app/hooked /run/app/token")
    everything.run(f"systemctl restart {UNIT}", timeout=120)
    test_commands_run_and_use_the_network(everything)
    test_the_audit_trail_is_written(everything)
    test_the_facade_and_s3_and_metrics(everything)
    everything.run(f"systemctl kill -s HUP --kill-whom=all {UNIT}; sleep 1; systemctl stop {UNIT}")
    called = set(re.findall(r"^\d+ +(\w+)\(", everything.run(f"cat {_TRACE}"), re.MULTILINE))
    everything.run(
        "rm /etc/systemd/system/kakaocloud-broker.service.d/zz-traced.conf && systemctl daemon-reload"
    )
    everything.run(f"systemctl start {UNIT}")
    print(sorted(called))  # noqa: T201  (seen with -rP)
    assert {"openat", "listen", "execve", "connect", "sendto"} <= called
    assert called <= allowed, called - allowed


def test_a_filter_of_addresses_lets_loopback_in_and_nothing_out(everything: Machine):
    drop_in(everything, "ip-filter", everything.run("cat /opt/kakaocloud-broker/share/doc/ip-filter.conf"))
    everything.run(f"systemctl restart {UNIT} && broker token >/dev/null && systemctl is-active {SOCKET}")
    assert (
        everything.run(
            "curl -gs -o /dev/null -w '%{http_code}' -H 'Metadata: true' http://[::1]:9780/v1/token"
        )
        == "200"
    )
