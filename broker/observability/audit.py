"""The audit trail: a line for each token or S3 credentials handed out and each refusal, which cannot be used to fill a disk.

- The first of a kind is written at once. More of the same are counted, and come as one line when the minute is over: a
  caller that asks 10,000 times a second costs two lines in the first minute and one a minute after that. `aggregated`
  says so in each line, and `times` how many requests it stands for; the sum of `times` is the number of requests.
- Hand-outs and refusals have budgets of their own, so that a flood of refusals hides no hand-out: BURST lines at once,
  then 5 and 2 a second. A day has at most 600 + 5 * 86,400 + 600 + 2 * 86,400 = 606,000 of them. What is counted by
  its decision alone adds a line a minute for each of about 20 decisions: 28,800. A line is about 400 bytes, at most 850
  where every name is as long as it may be: 540 MB a day if somebody with a great many uids and units tries all day.
  One caller of one identity costs 1,440 lines a day, and one for each new token: less than 1 MB.
- Of a request nothing is written but what the kernel proves and what the configuration names.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from broker.core.access import Workload
from broker.observability.record import Record, Value, moment, record
from broker.observability.tally import Count, Kind, Seen, Tally

TOKENS_EVERY = 0.2  # seconds a line once the burst is spent: 300 callers that each have one a minute
REFUSALS_EVERY = 0.5
_ALLOWED = "allowed"
_DIGEST = 12  # hex digits of a token's SHA-256, as in the log


class Drain(Protocol):
    """Where lines go, see `outlet`."""

    def put(self, record: Record) -> None: ...


class Audit:
    """Belongs to one event loop; `now` is CLOCK_BOOTTIME in seconds."""

    def __init__(self, outlet: Drain, wall: Callable[[], datetime]) -> None:
        """`wall` is the wall clock, for the times in the lines."""
        self._outlet = outlet
        self._wall = wall
        self._tokens = Tally(TOKENS_EVERY, self._emit)
        self._refusals = Tally(REFUSALS_EVERY, self._emit)

    def handed(
        self,
        caller: Workload,
        identity: str,
        by: str,
        digest: str,
        life: float,
        now: float,
        times: int = 1,
        what: str = "token",
    ) -> None:
        """A token was handed out, with `life` seconds left; `by` is the rule that allowed it, `digest` its SHA-256.

        `what` names anything else that was handed out; `digest` is that of the token it was made with.
        """
        kind = _kind(_ALLOWED, by, caller.listener, identity, caller, digest[:_DIGEST], what)
        self._tokens.note(kind, Seen(times, self._wall(), caller.pid, int(life)), now)

    def refused(
        self, caller: Workload | None, listener: str, identity: str | None, reason: str, by: str, now: float
    ) -> None:
        """A request was refused for this reason, a word of the code, by this rule; the identity is one that exists."""
        kind = _kind(reason, by, listener, identity, caller)
        self._refusals.note(kind, Seen(1, self._wall(), None if caller is None else caller.pid), now)

    def tick(self, now: float) -> None:
        """Write what has waited long enough; to be called about once a second."""
        self._tokens.tick(now)
        self._refusals.tick(now)

    def close(self) -> None:
        """Write all that waits."""
        self._tokens.close()
        self._refusals.close()

    def _emit(self, kind: Kind, count: Count) -> None:
        if count.last is None or count.since is None:
            return  # nothing was counted
        last = count.last
        fields: dict[str, Value] = {
            "time": moment(last.wall),
            "event": kind.event,
            "uid": kind.uid,
            "gid": kind.gid,
            "pid": last.pid,
            "unit": kind.unit,
            "container": kind.container,
            "listener": kind.listener,
            "identity": kind.identity,
            "decision": kind.decision,
            "by": kind.by,
            "token_sha256": kind.digest,
            "life_left": last.life,
            "times": count.times,
            "since": moment(count.since) if count.times > 1 else None,
            "aggregated": True,
        }
        self._outlet.put(record(fields, count.times))


def _kind(
    decision: str,
    by: str,
    listener: str,
    identity: str | None,
    caller: Workload | None,
    digest: str | None = None,
    event: str = "refusal",
) -> Kind:
    if caller is None:
        return Kind(decision, by, listener, identity, digest=digest, event=event)
    return Kind(
        decision, by, listener, identity, caller.uid, caller.gid, caller.unit, caller.container, digest, event
    )
