"""The host's clock: whether something keeps it right, and how long the machine has slept.

Tokens do not depend on it: their life is counted by the kernel's own seconds. Logs, certificates and S3's signatures do.
"""

import ctypes
import time
from collections.abc import Callable, Iterator

from broker.core.durations import rough
from broker.diagnosis.finding import Finding, ok, warning

_ABOUT = "clock"
_NTP = "start one: systemctl enable --now systemd-timesyncd, or chrony; in a container or guest, on its host"
_UNSYNCHRONISED = 0x0040  # STA_UNSYNC of <linux/timex.h>
_LONGS_TO_STATUS = 5  # modes (padded), offset, freq, maxerror, esterror
_TIMEX_BYTES = 208 * 2  # twice what the kernel writes on 64-bit machines


def status() -> int:
    """The status bits of the kernel's clock, by adjtimex(2), which changes nothing here. Raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    timex = ctypes.create_string_buffer(_TIMEX_BYTES)
    if libc.adjtimex(timex) == -1:
        raise OSError(ctypes.get_errno(), "adjtimex")
    offset = _LONGS_TO_STATUS * ctypes.sizeof(ctypes.c_long)
    return int.from_bytes(timex.raw[offset : offset + 4], "little")


def slept() -> float:
    """Seconds for which the machine was suspended since its boot."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) - time.clock_gettime(time.CLOCK_MONOTONIC)


def clocks(status: Callable[[], int] = status, slept: Callable[[], float] = slept) -> Iterator[Finding]:
    """Is it synchronised, was there a suspend."""
    try:
        kept = not status() & _UNSYNCHRONISED
    except (OSError, AttributeError):
        yield warning(
            _ABOUT, "whether it is synchronised cannot be seen here", "look on the host: timedatectl"
        )
    else:
        if kept:
            yield ok(_ABOUT, "synchronised")
        else:
            yield warning(_ABOUT, "nothing synchronises it, as far as the kernel knows", _NTP)
    if (seconds := slept()) > 1:
        yield ok(
            _ABOUT,
            f"the machine has slept {rough(seconds)} since its boot; tokens are looked at after each sleep",
        )
