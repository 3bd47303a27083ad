"""Looks that are taken side by side, with one deadline for all.

- Each has a thread of its own, so that a dead disk, name server or manager holds up no other.
- What a look had found before the deadline counts, and that it did not end is a finding too. Its thread is left behind: no
  library call that hangs can be ended, so whoever asked for the examination leaves without waiting for it.
- A look that fails unforeseen is a finding, and the others go on.
"""

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from broker.diagnosis.finding import Finding, warning

Look = Callable[[], Iterable[Finding]]


@dataclass(frozen=True, slots=True)
class Examined:
    """All findings, in the order of the looks; and whether some look has not ended."""

    findings: Sequence[Finding]
    unfinished: bool


def examine(looks: Mapping[str, Look], seconds: float) -> Examined:
    """Take all these looks, by what they are about, within so many seconds."""
    until = time.monotonic() + seconds
    running = [_Running(about, look) for about, look in looks.items()]
    for one in running:
        one.join(max(0.0, until - time.monotonic()))
    late = [one.is_alive() for one in running]
    findings: list[Finding] = []
    for one, hangs in zip(running, late, strict=True):
        findings += [*one.found]
        if hangs:
            says = f"was not looked at to its end within {seconds:.0f} s"
            findings.append(warning(one.about, says, "see what hangs: a disk, a name server, systemd"))
    return Examined(findings, any(late))


class _Running(threading.Thread):
    """A look under way."""

    def __init__(self, about: str, look: Look) -> None:
        super().__init__(daemon=True, name=f"look at {about}")
        self.about = about
        self.found: list[Finding] = []
        self._look = look
        self.start()

    def run(self) -> None:
        try:
            for finding in self._look():
                self.found.append(finding)
        except OSError as error:
            self.found.append(warning(self.about, f"cannot be looked at ({error.strerror or 'I/O error'})"))
        except Exception as error:  # noqa: BLE001  (one defect hides no other finding; its text may quote what it met)
            says = f"cannot be looked at ({type(error).__name__})"
            self.found.append(warning(self.about, says, "please report it"))
