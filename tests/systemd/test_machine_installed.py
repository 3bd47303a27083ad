"""`make install`, as docs/systemd.md has it, with another PREFIX, on a machine without the package."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.systemd.conftest import Boot
from tests.systemd.prepared import UNIT
from tests.systemd.rootfs import ROOT

pytestmark = [pytest.mark.systemd, pytest.mark.timeout(300)]
_SETTINGS = """[iam]
url = "http://127.0.0.1:9770/identity/v3"
[identities.default]
keys = ["/etc/kakaocloud-broker/keys/default"]
[[grants]]
identity = "default"
users = ["root"]
"""


def test_it_starts_and_says_that_it_is_degraded_where_there_is_no_iam(boot: Boot, files: Path):
    machine = boot()
    python = (files / "usr/bin/python3").readlink().name
    place = {
        "DESTDIR": f"/proc/{machine.leader}/root",
        "PYTHON": f"/usr/bin/{python}",
        "PYTHON_VERSION": python.removeprefix("python"),
        "PIP": ".venv/bin/pip",
    }
    command = ["sh", "deploy/package/install.sh", "/opt/elsewhere", "/usr/local/lib", "/usr/local/bin"]
    subprocess.run(command, cwd=ROOT, env={**os.environ, **place}, check=True)
    machine.run("systemd-sysusers && systemd-tmpfiles --create && systemctl daemon-reload")
    machine.run(f"systemctl enable {UNIT}")
    machine.write("/etc/kakaocloud-broker/broker.toml", _SETTINGS)
    folder = "/etc/kakaocloud-broker/keys/default"
    machine.run(f"install -d -m 0700 -o kakaocloud-broker {folder}")
    machine.run(f"umask 077; echo {'0' * 32} > {folder}/id; echo {'x' * 40} > {folder}/secret")
    machine.run(f"chown kakaocloud-broker {folder}/*")
    assert not machine.run(f"systemd-analyze verify {UNIT}")
    machine.run(f"systemctl start {UNIT}")
    assert "iam_unavailable" in machine.show(UNIT, "StatusText")
    assert "iam_unavailable" in machine.run("/usr/local/bin/broker status", check=False)
