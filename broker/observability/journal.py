"""The story of each lease in the log: a change is told once, its repetitions are counted.

| event | level | when |
|---|---|---|
| token_issued | info | a token came; `after_failures` if it ended trouble |
| token_restored | info | a token survived a restart |
| issue_failed | warning | the first failure of its kind since the last token |
| issue_failed_again | debug | a kind of failure that was told before |
| token_expiring | warning | refreshes still fail in the last tenth of the token's life |
| token_expired | error | nothing is left to serve |
| token_dead | warning | validation found the token dead before its end; a new one is asked for at once |
| no_token | error | still nothing to serve: hourly, and a minute after a death or a start that brought no token |

What was told is remembered until a token comes, so that two kinds of trouble that take turns are told once each. A new
access key may be rejected anew: that is news. Reminders ride on failures, which never stop while there is trouble.
What else is told of keys stands in `keybook`, of validation, roles and reports in `watchbook`.
"""

from dataclasses import dataclass, field

import structlog

from broker.core import watch
from broker.core.errors import Fault
from broker.core.lease import Lease, State
from broker.core.model import Held
from broker.core.timing import Phase
from broker.core.trouble import Trouble
from broker.observability import keybook
from broker.observability.watchbook import Watchbook

_log = structlog.get_logger()

REMIND_EVERY = 3600.0
# A start before the network is up is routine, and a dead token is replaced in a moment; nobody is to be called for it.
PATIENCE = 60.0


@dataclass(slots=True)
class _Story:
    """What happened to one identity since its last token."""

    failures: int = 0
    told: set[Fault] = field(default_factory=set)
    expiry_told: bool = False
    empty_since: float | None = None
    remind_at: float = 0.0

    def emptied(self, now: float, patience: float) -> None:
        """Nothing can be served from now on."""
        self.empty_since, self.remind_at = now, now + patience


class Journal:
    """An observer of leases, see `keeper.setting.Observer`; remembers one small story an identity."""

    def __init__(self) -> None:
        self._stories: dict[str, _Story] = {}
        self._watchbook = Watchbook()

    def tell(self, before: Lease, after: Lease, now: float) -> None:
        """A lease has changed from `before` to `after`."""
        story = self._stories.setdefault(after.identity, _Story())
        log = _log.bind(identity=after.identity)
        if keybook.changed(before, after):
            story.told.discard(Fault.REJECTED)
        keybook.tell(log, before, after)
        self._watchbook.tell(log, before, after, now)
        if after.held is not None and after.held is not before.held:
            del self._stories[after.identity]
            _tell_token(log, before, after, story, now)
        if before.held is not None and after.held is None:
            _tell_end(log, before, after, story, now)
        trouble = after.trouble
        if trouble is not None and _is_new(trouble, before.trouble):
            _tell_failure(log, story, trouble, after.held, now)


def _tell_token(
    log: structlog.stdlib.BoundLogger, before: Lease, after: Lease, story: _Story, now: float
) -> None:
    held = after.held
    if held is None:
        return
    log = log.bind(
        token_sha256=held.token.digest[:12],
        project=held.token.project.name,
        expires_at=held.token.expires_at,
        refresh_in=round(held.span.due_at - now),
        **({"after_failures": story.failures} if story.failures else {}),
    )
    if before.state is State.EMPTY:
        log.info("token_restored")
    else:
        log.info("token_issued")


def _tell_end(
    log: structlog.stdlib.BoundLogger, before: Lease, after: Lease, story: _Story, now: float
) -> None:
    if before.held is None:
        return
    log = log.bind(token_sha256=before.held.token.digest[:12])
    if after.rejected == before.rejected:
        story.emptied(now, REMIND_EVERY)
        log.error("token_expired")
    else:
        story.emptied(now, PATIENCE)
        log.warning("token_dead", by=watch.method(before.watch))


def _is_new(trouble: Trouble, before: Trouble | None) -> bool:
    """A count of 0 is old trouble that a new key has made hopeful, no failure; nor is another time of the next try."""
    same = before is not None and (before.fault, before.count) == (trouble.fault, trouble.count)
    return trouble.count > 0 and not same


def _tell_failure(
    log: structlog.stdlib.BoundLogger, story: _Story, trouble: Trouble, held: Held | None, now: float
) -> None:
    story.failures += 1
    log = log.bind(
        fault=trouble.fault.value,
        detail=trouble.detail,
        count=story.failures,
        next_try_in=round(trouble.next_try - now, 1),
    )
    if trouble.fault in story.told:
        log.debug("issue_failed_again", still_serving=held is not None)
    else:
        story.told.add(trouble.fault)
        log.warning("issue_failed", still_serving=held is not None)
    if held is not None:
        _warn_of_the_end(log, story, held, now)
    else:
        _remind(log, story, now)


def _warn_of_the_end(log: structlog.stdlib.BoundLogger, story: _Story, held: Held, now: float) -> None:
    if held.span.phase(now) >= Phase.CRITICAL and not story.expiry_told:
        story.expiry_told = True
        log.warning("token_expiring", expires_in=max(0, round(held.span.deadline - now)))


def _remind(log: structlog.stdlib.BoundLogger, story: _Story, now: float) -> None:
    if story.empty_since is None:
        story.emptied(now, PATIENCE)
    elif now >= story.remind_at:
        story.remind_at = now + REMIND_EVERY
        log.error("no_token", for_seconds=round(now - story.empty_since))
