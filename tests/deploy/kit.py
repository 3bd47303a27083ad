"""The operator's kit as it lies in deploy/monitoring, and Prometheus' own tool to try its rules with."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

FOLDER = Path(__file__).parents[2] / "deploy/monitoring"
ALERTS = FOLDER / "alerts.yaml"
SEVERITIES = {"critical", "warning", "info"}
_METRIC = re.compile(r"\b((?:broker|process)_[a-z_]+)\b")

needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is not on PATH (Debian package prometheus)"
)


def document(name: str) -> Any:  # noqa: ANN401  (the shape is the file's)
    """One YAML file of the kit."""
    return yaml.safe_load((FOLDER / name).read_text())


def alerts() -> list[dict[str, Any]]:
    """All alert rules."""
    return [rule for group in document("alerts.yaml")["groups"] for rule in group["rules"]]


def metrics_in(expression: str) -> set[str]:
    """The broker's metrics, and its process', that an expression of PromQL names, labels' values left aside."""
    return set(_METRIC.findall(re.sub(r'"[^"]*"', '""', expression)))


def promtool(*arguments: str | Path) -> str:
    """What promtool says; an AssertionError with it where it finds a fault."""
    done = subprocess.run(["promtool", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
