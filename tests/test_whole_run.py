"""What two workers have seen comes together at the end: a secret of the one that the other has said, and Keystone's tests."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
GUARDS = """
from tests.e2e.spoken import SPOKEN

def test_a():
    SPOKEN.guard("hush", "a token")
"""
SAYS = """
import pytest
from tests.e2e.spoken import SPOKEN

@pytest.mark.keystone
def test_b():
    SPOKEN.said("the log", "hush")
"""


def test_a_secret_that_another_worker_was_given_fails_the_run(tmp_path: Path):
    (tmp_path / "test_a.py").write_text(GUARDS)
    (tmp_path / "test_b.py").write_text(SAYS)
    command = [sys.executable, "-m", "pytest", "-n", "2", "--dist", "loadfile", "-p", "tests.whole_run"]
    command += ["-c", f"{ROOT}/pyproject.toml", "--rootdir", str(tmp_path), str(tmp_path)]
    done = subprocess.run(
        [*command, "-p", "no:cacheprovider"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert "2 passed" in done.stdout, done.stdout
    assert "FAILED: the log holds a token" in done.stdout
    assert done.returncode == 1
    assert "hush" not in done.stdout
    assert "outputs searched for 1 secrets: 1" in done.stdout
    assert "tests against a real Keystone: 1 passed, 0 failed, 0 skipped" in done.stdout
