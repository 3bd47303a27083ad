"""What the log tells of access keys, by their places: never an id, never a secret.

| event | level | when |
|---|---|---|
| key_changed | info | a source holds another key; it is tried before it is used |
| key_in_use | info | another key's token is served from now on |
| key_proven | debug; info the first time, and after it was bad | a key that is not in use has brought a token |
| key_rejected | warning | IAM rejects a key that it did not reject before |
| key_project_mismatch | warning | a key is of another project and is not used |

Everything is read off the change itself, so nothing is remembered here.
"""

import structlog

from broker.core import keys
from broker.core.keys import KeyRecord, Standing
from broker.core.lease import Lease


def changed(before: Lease, after: Lease) -> bool:
    """Whether a key was read that the lease did not know."""
    return any(keys.find(before.keys, record.generation) is None for record in after.keys)


def tell(log: structlog.stdlib.BoundLogger, before: Lease, after: Lease) -> None:
    """A lease has changed from `before` to `after`; `log` names its identity."""
    if after.keys is not before.keys:
        for record in after.keys:
            _tell_key(log, keys.find(before.keys, record.generation), record, after)
    was, now = before.watch.key, after.watch.key
    if was and was != now and after.held is not None:
        log.info("key_in_use", key=_place_of(after, now))


def _tell_key(log: structlog.stdlib.BoundLogger, was: KeyRecord | None, now: KeyRecord, after: Lease) -> None:
    log = log.bind(key=now.place.name.lower())
    if was is None:
        log.info("key_changed")
    elif now.proven_at != was.proven_at:
        # The key of the token that is served needs no word of its own.
        if now.ref != after.watch.key:
            if was.settled and was.standing is now.standing:
                log.debug("key_proven")
            else:
                log.info("key_proven")
    elif now.standing is not was.standing:
        _tell_bad(log, now)


def _tell_bad(log: structlog.stdlib.BoundLogger, record: KeyRecord) -> None:
    if record.standing is Standing.REJECTED:
        log.warning("key_rejected", new=not record.settled, detail=record.detail)
    elif record.standing is Standing.FOREIGN:
        log.warning("key_project_mismatch", new=not record.settled, detail=record.detail)


def _place_of(after: Lease, ref: str) -> str | None:
    record = next((each for each in after.keys if each.settled and each.ref == ref), None)
    return None if record is None else record.place.name.lower()
