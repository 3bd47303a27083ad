"""The whole broker in one honest line, for who looks at it from outside, as `systemctl status` does.

It changes seldom: a time is rounded so far that a line is true for minutes.
"""

from collections.abc import Iterator

from broker.core import degraded, lease
from broker.core.durations import rough
from broker.core.lease import Lease
from broker.keeper import tending
from broker.keeper.keyring import Keyring

_MOST_NAMES = 5


def summary(keyring: Keyring, now: float) -> str:
    """Such as: 2 identities, next refresh in 2 h 10 min; degraded: key_expires_soon."""
    leases = [keyring[name].lease for name in keyring]
    without = [kept.identity for kept in leases if lease.servable(kept, now) is None]
    parts = [", ".join((_count(len(leases)), *_next(leases, now)))]
    if without:
        parts.append(f"without a token: {_listed(without)}")
    reasons = {reason for name in keyring for reason in tending.reasons(keyring[name])}
    if reasons:
        parts.append(f"degraded: {', '.join(reason for reason in degraded.Reason if reason in reasons)}")
    return "; ".join(parts)


def ending(keyring: Keyring, now: float) -> str:
    """The same at the end, and why there is no token where there is none."""
    keepers = [keyring[name] for name in keyring]
    without = [keeper for keeper in keepers if lease.servable(keeper.lease, now) is None]
    why = [f"{keeper.lease.identity}: {keeper.refusal(now).detail}" for keeper in without[:_MOST_NAMES]]
    return "\n".join((f"Ended by a signal: {summary(keyring, now)}", *why))


def _count(number: int) -> str:
    return "1 identity" if number == 1 else f"{number} identities"


def _next(leases: list[Lease], now: float) -> Iterator[str]:
    at = min((lease.next_issue(kept, now) for kept in leases if kept.held is not None), default=None)
    if at is None or at == float("inf"):
        return
    left = at - now
    if left < 60:
        yield "next refresh within a minute"
    else:
        yield f"next refresh in {rough(left - left % (600 if left >= 3600 else 60))}"


def _listed(names: list[str]) -> str:
    more = len(names) - _MOST_NAMES
    return ", ".join(names[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")
