"""What only the whole run can tell, however many processes it went through: Keystone's part, and the last look for secrets.

- A worker of xdist has seen a part, and sends it to the process that started it; without workers one process has seen all.
- Rule: no process of the whole run ever says a secret, its own or another's, in whichever worker either was.
- Each run ends by saying how many tests met a real Keystone, zero included: without them the emulator vouches for
  itself.
"""

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.e2e.spoken import SPOKEN, Spoken

SENT = "whole_run"


@dataclass(slots=True)
class WholeRun:
    """What all processes have seen together."""

    keystone: set[str] = field(
        default_factory=set
    )  # ids; a report does not tell a marker from a folder's name
    spoken: Spoken = field(default_factory=Spoken)
    leaks: set[str] = field(default_factory=set)

    def add(self, part: dict[str, Any]) -> None:
        """What one process has seen."""
        self.keystone.update(part["keystone"])
        self.spoken.secrets.update(part["secrets"])
        self.spoken.outputs.extend(part["outputs"])


WHOLE = pytest.StashKey[WholeRun]()


def pytest_configure(config: pytest.Config) -> None:
    """Begin with nothing."""
    config.stash[WHOLE] = WholeRun()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:  # noqa: ANN401  (xdist has no type for it here)
    """Take what a worker has seen; one that died has nothing, and fails the run."""
    del error
    if part := getattr(node, "workeroutput", {}).get(SENT):
        node.config.stash[WHOLE].add(part)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Send this process's part; where it all comes together, a secret that was said fails the run."""
    part = {
        "keystone": [item.nodeid for item in session.items if item.get_closest_marker("keystone")],
        "secrets": SPOKEN.secrets,
        "outputs": SPOKEN.outputs,
    }
    if (output := getattr(session.config, "workeroutput", None)) is not None:
        output[SENT] = part
        return
    whole = session.config.stash[WHOLE]
    whole.add(part)
    whole.leaks = whole.spoken.leaks()
    if whole.leaks:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> Generator[None]:
    """After all other summaries, ours."""
    yield
    whole = terminalreporter.config.stash[WHOLE]

    def ended(*outcomes: str) -> set[str]:
        reports = (report for outcome in outcomes for report in terminalreporter.stats.get(outcome, []))
        return {report.nodeid for report in reports} & whole.keystone

    for leak in sorted(whole.leaks):
        terminalreporter.write_line(f"FAILED: {leak}", red=True)
    said = whole.spoken
    terminalreporter.write_line(f"outputs searched for {len(said.secrets)} secrets: {len(said.outputs)}")
    # A test that passes and then fails to clean up has failed.
    failed = ended("failed", "error")
    passed = ended("passed") - failed
    skipped = ended("skipped") - failed
    terminalreporter.write_line(
        f"tests against a real Keystone: {len(passed)} passed, {len(failed)} failed, {len(skipped)} skipped"
    )
