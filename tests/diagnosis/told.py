"""Findings as short texts."""

from collections.abc import Iterable

from broker.diagnosis.finding import Finding


def told(findings: Iterable[Finding]) -> list[str]:
    """Level and line of each."""
    return [f"{one.level}: {one.line}" for one in findings]
