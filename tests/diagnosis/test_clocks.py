"""The clock as a fake kernel tells it, and once as this one does."""

from broker.diagnosis import clocks
from tests.diagnosis.told import told


def test_an_unsynchronised_clock_is_a_warning_with_the_remedy():
    (line,) = told(clocks.clocks(lambda: 0x0041, lambda: 0.0))
    assert line.startswith("warning: nothing synchronises it")
    assert "systemd-timesyncd" in line


def test_a_synchronised_one_and_a_sleep():
    assert told(clocks.clocks(lambda: 0x2001, lambda: 3700.0)) == [
        "ok: synchronised",
        "ok: the machine has slept 1 h 1 min since its boot; tokens are looked at after each sleep",
    ]


def test_a_kernel_that_does_not_tell():
    def refused() -> int:
        raise OSError(1, "adjtimex")

    assert told(clocks.clocks(refused, lambda: 0.0)) == [
        "warning: whether it is synchronised cannot be seen here; look on the host: timedatectl"
    ]


def test_this_kernel_tells_a_status():
    assert 0 <= clocks.status() < 1 << 16
    assert clocks.slept() >= -1
