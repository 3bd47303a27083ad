"""Waiting until the broker holds usable tokens, as a start-up probe does: by its readiness, for which no right is needed.

Rules: whatever may mend itself is waited for, a broker that has not started included; a name that the broker does not know
and a refusal end it at once; the pause between two looks is short and bounded.
"""

from __future__ import annotations

import time

from broker.client import address, ask
from broker.client.failures import BadAddress, Unreachable
from broker.client.fetch import MOMENT, failure, part_of_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from broker.client.reply import Answer

_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 1.0
# One look; a broker that is well answers at once.
_LOOK = 5.0


class _Unknown(Unreachable):
    """An identity that the broker does not have, and will not have by waiting."""


def wait(environ: Mapping[str, str], identities: Sequence[str], timeout: float) -> None:
    """Return once these identities, or all, hold a usable token. Raises ClientError with the last reason."""
    until = time.monotonic() + timeout
    pause = _FIRST_PAUSE
    while True:
        reason = _reason(environ, identities, until)
        if reason is None:
            return
        left = until - time.monotonic()
        if left <= 0:
            raise Unreachable(reason)
        time.sleep(min(pause, left))
        pause = min(pause * 1.5, _LONGEST_PAUSE)


def _reason(environ: Mapping[str, str], identities: Sequence[str], until: float) -> str | None:
    """Why it is not ready; None when it is."""
    names: Sequence[str | None] = identities or [None]
    try:
        place = address.find(environ)
        for name in names:
            target = "/readyz" if name is None else f"/readyz/{part_of_path(name)}"
            left = max(0.0, until - time.monotonic())
            reason = _judged(ask.get(place, target, {}, min(left + MOMENT, _LOOK)), name)
            if reason is not None:
                return reason
    except (BadAddress, _Unknown):
        raise
    except Unreachable as error:
        return str(error)
    return None


def _judged(answer: Answer, name: str | None) -> str | None:
    tree = answer.tree()
    if answer.status == 404 and name is not None:
        raise _Unknown(
            f"the broker has no identity {name!r}; see `broker status`, and the names in its settings"
        )
    if answer.status == 403:
        raise failure(answer)
    if answer.status == 200 and tree.get("ready") is True:
        return None
    if answer.status == 503 and "ready" in tree:
        return _told(tree, name)
    return f"readiness is not understood (status {answer.status}); are client and broker of one version?"


def _told(tree: dict[str, Any], name: str | None) -> str:
    """The reason that a report gives, or the first of those of its identities."""
    if tree.get("draining") is True:
        return "the broker is shutting down; wait for the next one"
    reports = tree.get("identities")
    if name is None and isinstance(reports, dict):
        for each, report in reports.items():
            if isinstance(report, dict) and not report.get("ready"):
                return _told(report, each)
    whose = "no usable token" if name is None else f"no usable token for {name}"
    reason, detail = tree.get("reason", tree.get("state", "not_ready")), tree.get("detail")
    return f"{whose}: {reason}" + (f": {detail}" if detail else "")
