"""Looks side by side: none holds up or hides another."""

import threading
import time
from collections.abc import Iterator

from broker.diagnosis.examination import examine
from broker.diagnosis.finding import Finding, ok
from tests.diagnosis.told import told


def test_one_that_hangs_is_told_with_what_it_had_found_and_all_together_end_in_time():
    end = threading.Event()

    def hangs() -> Iterator[Finding]:
        yield ok("first", "seen before")
        end.wait(20)

    began = time.monotonic()
    examined = examine({"first": hangs, "second": lambda: [ok("second", "fine")], "third": hangs}, 0.2)
    end.set()
    assert time.monotonic() - began < 5
    assert examined.unfinished
    late = "warning: was not looked at to its end within 0 s; see what hangs: a disk, a name server, systemd"
    assert told(examined.findings) == ["ok: seen before", late, "ok: fine", "ok: seen before", late]


def test_a_defect_is_a_finding_without_its_words_and_a_disk_that_fails_is_one_too():
    def defect() -> Iterator[Finding]:
        raise KeyError("gAAAAA-a-secret")

    def disk() -> Iterator[Finding]:
        raise OSError(5, "Input/output error")

    examined = examine({"a": defect, "b": disk}, 10)
    assert not examined.unfinished
    assert told(examined.findings) == [
        "warning: cannot be looked at (KeyError); please report it",
        "warning: cannot be looked at (Input/output error)",
    ]
