"""The exit code: a script acts on it."""

import pytest

from broker.diagnosis.finding import Finding, exit_code, ok, problem, warning

ABSENT = problem("a", "no broker", absent=True)


@pytest.mark.parametrize(
    ("findings", "code"),
    [
        ([], 0),
        ([ok("a", "b"), warning("a", "b")], 0),
        ([warning("a", "b"), ABSENT, ABSENT], 69),
        ([ABSENT, problem("a", "b")], 1),
        ([problem("a", "b")], 1),
    ],
)
def test_the_worst_decides_and_an_absent_broker_only_where_it_is_all(findings: list[Finding], code: int):
    assert exit_code(findings) == code


def test_a_line_has_its_remedy():
    assert (ok("a", "b").line, problem("a", "b", "c").line) == ("b", "b; c")
