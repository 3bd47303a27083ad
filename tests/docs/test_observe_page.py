"""The operators' page names every event and every metric that there is, and no other."""

import re
from pathlib import Path

from broker.observability.metrics import Metrics
from broker.observability.readings import DEGRADED

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/observe.md").read_text()
# The emulator writes no log of the broker.
SOURCES = [path for path in (ROOT / "broker").rglob("*.py") if "fakeiam" not in path.parts]
# `tell` is what a level that depends is bound to.
EVENT = re.compile(r"(?:\blog\.(?:debug|info|warning|error|exception)|(?<![.\w])tell)\(\s*\"([a-z0-9_]+)\"")


def rows(heading: str) -> set[str]:
    """The names in back-ticks of the first column of the first table below a heading."""
    table = PAGE.split(f"\n## {heading}\n")[1].split("\n\n|")[1].split("\n\n")[0]
    return {name for row in table.splitlines() for name in re.findall(r"`([^`]+)`", row.split(" | ")[0])}


def test_every_event_is_on_the_page():
    told = {event for path in SOURCES for event in EVENT.findall(path.read_text().replace("_log.", "log."))}
    assert "token_issued" in told
    assert rows("The log") == told | {"log_lost"}  # which the way into the journal tells by itself


def test_every_metric_is_on_the_page():
    body, _ = Metrics("1", lambda: ()).exposition("", 0.0)
    named = set(re.findall(r"^# HELP (\S+)", body.decode(), re.MULTILINE))
    assert {"process_*" if name.startswith("process_") else name for name in named} == rows("Metrics")


def test_every_degraded_reason_is_on_the_page():
    assert all(f"`{reason}`" in PAGE for reason in DEGRADED)
