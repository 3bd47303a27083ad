"""How long ago something was kept (invariant L13): by the boot clock within one boot, by the wall clock after another.

A wall clock that reads earlier than it did when it was kept tells nothing.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from broker.core.ports import Clock

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_FORM = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Stamp:
    """A moment on all clocks there are."""

    boot: str | None  # which boot of this machine `at` counts from; None: not known
    at: float  # seconds on the broker's clock
    wall: float  # seconds since 1970 on the wall clock

    @classmethod
    def of(cls, clock: Clock, boot: str | None) -> "Stamp":
        return cls(boot, clock.now(), clock.wall().timestamp())

    def shift(self, earlier: "Stamp") -> float | None:
        """Seconds to add to a moment on the earlier stamp's clock to have it on this one's; None: it cannot be told."""
        if self.boot is not None and self.boot == earlier.boot:
            return 0.0 if self.at >= earlier.at else None
        gone = self.wall - earlier.wall
        return self.at - gone - earlier.at if gone >= 0 else None


def boot_id(path: Path = _BOOT_ID) -> str | None:
    """Which boot of this machine this is; None where the kernel does not say."""
    try:
        told = path.read_text().strip()
    except (OSError, ValueError):
        return None
    return told if _FORM.fullmatch(told) else None
