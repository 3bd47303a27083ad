"""`eval "$(broker token --format env)"` sets OS_TOKEN to the token and does nothing else, whatever the token and the shell."""

import shutil
import string
import subprocess
from pathlib import Path

import pytest

from broker.cli.token import _shown

# Every one that knows `export` and is installed here; fish reads a list of words where others read lines.
SHELLS = {
    "sh": ["sh", "-c"],
    "dash": ["dash", "-c"],
    "bash": ["bash", "-c"],
    "bash, as it is typed into": ["bash", "-ic"],
    "busybox": ["busybox", "sh", "-c"],
    "ksh": ["ksh", "-c"],
    "mksh": ["mksh", "-c"],
    "yash": ["yash", "-c"],
    "zsh": ["zsh", "-fc"],
    "fish": ["fish", "--no-config", "-c"],
}
PRINTABLE = "".join(chr(each) for each in range(0x21, 0x7F))
VALUES = [
    "gAAAAABmZ-_x==",
    PRINTABLE,
    "".join(f"{each}'{each}\\" for each in string.punctuation),
    "=ls",
    "~root",
    "-n",
    "$(touch${IFS}hurt)",
    "`touch${IFS}hurt`",
    "';touch${IFS}hurt;'",
    "\\';touch${IFS}hurt;\\'",
    "\\",
    "\\\\'",
    "'",
    "!!",
    "#x",
    "*?[a]{b,c}",
]


@pytest.mark.parametrize("name", SHELLS)
def test_it_is_the_token_and_nothing_is_run(tmp_path: Path, name: str):
    command = SHELLS[name]
    if shutil.which(command[0]) is None:
        pytest.skip(f"there is no {command[0]} here")
    for number, value in enumerate(VALUES):
        (tmp_path / "said").write_text(_shown(value, "env") + "\n")
        ended = subprocess.run(
            [*command, f'eval "$(cat said)"; printenv OS_TOKEN > heard-{number}'],
            cwd=tmp_path,
            capture_output=True,
            timeout=20,
            check=False,
            stdin=subprocess.DEVNULL,
            env={"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(tmp_path), "TERM": "dumb"},
        )
        assert ended.returncode == 0, ended.stderr
        assert (tmp_path / f"heard-{number}").read_text() == f"{value}\n", name
    assert not (tmp_path / "hurt").exists()


def test_quotes_and_backslashes_stand_outside_of_the_quotes():
    """Rule: so that those shells which read a backslash within quotes, and those which do not, read the same."""
    assert _shown("a'b\\c", "env") == r"export OS_TOKEN='a'\''b'\\'c'"


def test_a_header_is_one_line_of_what_may_stand_in_one():
    assert _shown("gAAAA", "header") == "X-Auth-Token: gAAAA"
