"""What the log tells of the watch over the token at hand: validation, roles, reports.

| event | level | when |
|---|---|---|
| validation_failed | warning | IAM could not be asked whether the token lives: the first failure of its kind |
| validation_resumed | info | it can be asked again |
| validation_stepped_down | info | a method is refused that is no evidence for this key (any more); the next one is tried |
| validation_off | warning | no method is left for this key, or it has access rules; once a key |
| roles_reduced | warning | tokens have lost roles |
| roles_restored | info | they have them again |
| token_reported | debug | a program says that the token is refused; once a window, however many say so |
| reissue_forced | info | a new token is asked for because of reports alone |

A method is refused anew for each token of its key; that is told once for a key, until it has worked.
"""

from dataclasses import dataclass, field

import structlog

from broker.core import watch
from broker.core.errors import Fault
from broker.core.lease import Lease
from broker.core.watch import Method


@dataclass(slots=True)
class _Told:
    """What was told of one identity; only of its keys of now."""

    faults: set[Fault] = field(default_factory=set)
    refused: set[tuple[str, Method]] = field(default_factory=set)
    off: set[str] = field(default_factory=set)

    def forget(self, refs: set[str]) -> None:
        """Keep nothing of keys that are gone."""
        self.refused = {(ref, by) for ref, by in self.refused if ref in refs}
        self.off &= refs


class Watchbook:
    """Remembers what was told, by identity."""

    def __init__(self) -> None:
        self._told: dict[str, _Told] = {}

    def tell(self, log: structlog.stdlib.BoundLogger, before: Lease, after: Lease, now: float) -> None:
        """A lease has changed from `before` to `after`; `log` names its identity."""
        told = self._told.setdefault(after.identity, _Told())
        if after.keys is not before.keys:
            told.forget({record.ref for record in after.keys} | {after.watch.key})
        if after.watch is not before.watch:
            _tell_faults(log, told, before, after, now)
            _tell_methods(log, told, before, after)
        _tell_roles(log, before, after)
        _tell_reports(log, before, after, now)


def _tell_faults(
    log: structlog.stdlib.BoundLogger, told: _Told, before: Lease, after: Lease, now: float
) -> None:
    was, trouble = before.watch.trouble, after.watch.trouble
    if trouble is None:
        if was is not None and after.held is before.held:
            log.info("validation_resumed")
        told.faults.clear()
    elif trouble is not was and trouble.fault not in told.faults:
        told.faults.add(trouble.fault)
        wait = round(trouble.next_try - now, 1)
        log.warning("validation_failed", fault=trouble.fault.value, detail=trouble.detail, next_try_in=wait)


def _tell_methods(log: structlog.stdlib.BoundLogger, told: _Told, before: Lease, after: Lease) -> None:
    key, then = after.watch.key, watch.method(after.watch)
    told.refused -= after.watch.evidence
    told.off -= {ref for ref, _ in after.watch.evidence}
    if after.held is before.held and then is not None:
        for by in after.watch.refused - before.watch.refused:
            if (key, by) not in told.refused:
                told.refused.add((key, by))
                log.info("validation_stepped_down", method=by.value, to=then.value)
    if after.held is not None and watch.off(after.watch) and key not in told.off:
        told.off.add(key)
        log.warning("validation_off", because="access_rules" if after.watch.exempt else "refused")


def _tell_roles(log: structlog.stdlib.BoundLogger, before: Lease, after: Lease) -> None:
    if after.lost == before.lost:
        return
    was, now = set(before.lost), set(after.lost)
    if now - was:
        log.warning("roles_reduced", lost=[role.name for role in after.lost])
    if was - now:
        log.info("roles_restored", roles=[role.name for role in before.lost if role not in now])


def _tell_reports(log: structlog.stdlib.BoundLogger, before: Lease, after: Lease, now: float) -> None:
    was, heard = before.reports, after.reports
    if heard.until != was.until and after.held is not None:
        log.debug("token_reported", token_sha256=after.held.token.digest[:12])
    if heard.next_forced != was.next_forced:
        log.info("reissue_forced", count=heard.forced, next_in=round(heard.next_forced - now))
