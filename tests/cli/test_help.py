"""Help is where people begin: each command says what it does, and shows its example as lines of its own."""

import pytest
from click.testing import CliRunner

from broker import __version__
from broker.cli.main import _COMMANDS, broker

EXAMPLES = {
    "token": "  printf 'X-Auth-Token: %s' \"$(broker token)\" | curl -H @- https://...",
    "run": "  broker run",
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
        assert f"  {EXAMPLES[name]}" in lines


def test_the_version():
    assert shown("--version") == [f"broker, version {__version__}"]
