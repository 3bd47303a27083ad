"""The memory of the process is its own: no core file, no debugger of the same user."""

import subprocess
import sys
from pathlib import Path

import pytest

LOOK = """
import ctypes, resource
from broker.hardening import close_memory
libc = ctypes.CDLL(None)
print(libc.prctl(3, 0, 0, 0, 0))
close_memory()
print(libc.prctl(3, 0, 0, 0, 0), *resource.getrlimit(resource.RLIMIT_CORE))
close_memory()
"""


@pytest.mark.e2e
def test_the_process_is_not_dumpable_and_its_core_size_is_0_for_good():
    run = subprocess.run(
        [sys.executable, "-c", LOOK],
        check=True,
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert run.stdout.splitlines() == ["1", "0 0 0"]
