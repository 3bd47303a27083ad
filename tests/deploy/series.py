"""Scrapes of one target, sample by sample, as promtool takes them, and what its rules should make of them.

- `up` is what Prometheus itself adds to a scrape: 1, and 0 when the target does not answer.
- What should be there is said as the samples come, about the latest one, and asked of promtool at the end.
"""

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.deploy.kit import ALERTS, promtool

_TARGET = 'job="kakaocloud-broker",instance="app-1:9781"'
_FIRING = 'group by (alertname) (ALERTS{alertstate="firing"})'


class Series:
    """Samples that are `step` seconds apart."""

    def __init__(self, step: int) -> None:
        self._step = step
        self._samples: list[Mapping[str, str]] = []
        self._checks: list[dict[str, object]] = []

    def add(self, exposition: str | None) -> None:
        """One more sample of every series; None: nobody answered."""
        up = f"up{{{_TARGET}}}"
        self._samples.append({up: "0"} if exposition is None else {up: "1", **_parsed(exposition)})

    def firing(self, *names: str) -> None:
        """Exactly these alerts fire at the latest sample."""
        self._check(_FIRING, [{"labels": f'{{alertname="{name}"}}', "value": 1} for name in names])

    def shows(self, expression: str) -> None:
        """The expression has at least one series at the latest sample."""
        self._check(f"count({expression}) > bool 0", [{"labels": "{}", "value": 1}])

    @property
    def names(self) -> tuple[str, ...]:
        """All series that were seen, with their labels."""
        return tuple(dict.fromkeys(name for sample in self._samples for name in sample))

    def verify(self, path: Path) -> None:
        """Have promtool run the rules over the samples, by a file at this path."""
        series = [{"series": name, "values": " ".join(self._values(name))} for name in self.names]
        test = {"interval": f"{self._step}s", "input_series": series, "promql_expr_test": self._checks}
        tree = {"rule_files": [str(ALERTS)], "evaluation_interval": "1m", "tests": [test]}
        path.write_text(yaml.safe_dump(tree, width=1_000_000))
        promtool("test", "rules", path)

    def _check(self, expression: str, samples: list[dict[str, object]]) -> None:
        at = f"{(len(self._samples) - 1) * self._step}s"
        self._checks.append({"expr": expression, "eval_time": at, "exp_samples": samples})

    def _values(self, name: str) -> list[str]:
        """As promtool writes them: `_` is no sample, and a series that a scrape lacks ends there."""
        values = [sample.get(name, "_") for sample in self._samples]
        return [values[0], *("stale" if now == "_" != was else now for was, now in pairwise(values))]


def _parsed(body: str) -> dict[str, str]:
    """The value of each series of an exposition, under its name and labels and those of the target."""
    return {
        f"{sample.name}{{{','.join([_TARGET, *(_label(*label) for label in sample.labels.items())])}}}": str(
            sample.value
        )
        for family in text_string_to_metric_families(body)
        for sample in family.samples
    }


def _label(name: str, value: str) -> str:
    return f'{name}="{value}"'
