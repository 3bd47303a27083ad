"""The story of each lease in the log: a change is told once, its repetitions are counted.

| event | level | when |
|---|---|---|
| token_issued | info | a token came; `after_failures` if it ended trouble |
| issue_failed | warning | the first failure, or another kind of fault |
| issue_failed_again | debug | the same fault once more |
| token_expired | error | nothing is left to serve |
| key_changed | info | another access key is used from now on |
"""

import structlog

from broker.core.lease import Lease, Trouble

_log = structlog.get_logger()


def tell(before: Lease, after: Lease, now: float) -> None:
    """An observer of leases, see `keeper.Observer`."""
    log = _log.bind(identity=after.identity)
    if after.generation != before.generation:
        log.info("key_changed")
    if after.held is not None and after.held is not before.held:
        token = after.held.token
        failures = before.trouble.count if before.trouble else 0
        log.info(
            "token_issued",
            token_sha256=token.digest[:12],
            project=token.project.name,
            expires_at=token.expires_at,
            refresh_in=round(after.held.span.due_at - now),
            **({"after_failures": failures} if failures else {}),
        )
    if before.held is not None and after.held is None:
        log.error("token_expired", token_sha256=before.held.token.digest[:12])
    if after.trouble is not None and after.trouble is not before.trouble and after.trouble.count:
        news = before.trouble is None or before.trouble.fault is not after.trouble.fault
        _tell_trouble(log, after.trouble, now, news=news, serving=after.held is not None)


def _tell_trouble(
    log: structlog.stdlib.BoundLogger, trouble: Trouble, now: float, *, news: bool, serving: bool
) -> None:
    say = log.warning if news else log.debug
    say(
        "issue_failed" if news else "issue_failed_again",
        fault=trouble.fault.value,
        detail=trouble.detail,
        count=trouble.count,
        next_try_in=round(trouble.next_try - now, 1),
        still_serving=serving,
    )
