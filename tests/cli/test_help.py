"""Help is where people begin: each command says what it does, and shows its example as lines of its own."""

import pytest
from click.testing import CliRunner

from broker import __version__
from broker.cli.main import _COMMANDS, broker

EXAMPLES = {
    "run": "broker run",
    "token": "broker token --format header | curl -H @- https://...",
    "status": "broker status --watch",
    "wait": "broker wait --timeout 0",
    "exec": "broker exec -- openstack token issue",
    "reject": 'printf %s "$TOKEN" | broker reject',
    "s3-credentials": "credential_process = broker s3-credentials",
    "doctor": "sudo -u kakaocloud-broker broker doctor",
    "projects": "broker projects --json | jq -r '.projects[].id'",
    "fake-iam": "broker fake-iam --fault 429:retry-after=3,times=2 > iam.env & sleep 1; . ./iam.env; broker run",
}


def shown(*args: str) -> list[str]:
    result = CliRunner().invoke(broker, args)
    assert (result.exit_code, result.stderr) == (0, "")
    assert "\b" not in result.stdout
    assert "\\b" not in result.stdout
    return result.stdout.splitlines()


def test_the_help_names_every_command_and_the_way_in():
    lines = shown("--help")
    for name, (_, short) in _COMMANDS.items():
        assert any(line.split()[:1] == [name] and line.endswith(short) for line in lines)
    assert any("`broker demo`" in line for line in lines)


@pytest.mark.parametrize("name", _COMMANDS)
def test_each_command_has_a_help(name: str):
    lines = shown(name, "--help")
    assert lines[0].startswith(f"Usage: broker {name} [OPTIONS]")
    if name in EXAMPLES:
        assert any(line.startswith("  Example") for line in lines)
        assert f"    {EXAMPLES[name]}" in lines


def test_the_version():
    assert shown("--version") == [f"broker, version {__version__}"]
