"""Why an identity is not in order, in the words of INTERFACE section 4; its tokens are served for as long as they are good."""

from collections.abc import Iterator
from enum import StrEnum

from broker.core import keys, watch
from broker.core.errors import CODE_OF_FAULT, Fault
from broker.core.keys import KeyRecord, Place, Standing
from broker.core.lease import Lease
from broker.core.trouble import Trouble


class Reason(StrEnum):
    """All that can be wrong while tokens are served."""

    IAM_UNAVAILABLE = "iam_unavailable"
    IAM_THROTTLED = "iam_throttled"
    KEY_REJECTED = "key_rejected"
    STANDBY_KEY_IN_USE = "standby_key_in_use"
    STANDBY_KEY_REJECTED = "standby_key_rejected"
    NEW_KEY_REJECTED = "new_key_rejected"
    KEY_PROJECT_MISMATCH = "key_project_mismatch"
    KEY_EXPIRES_SOON = "key_expires_soon"
    ROLES_REDUCED = "roles_reduced"
    VALIDATION_OFF = "validation_off"
    CLOCK_SKEW = "clock_skew"
    CACHE_UNWRITABLE = "cache_unwritable"
    SINK_FAILED = "sink_failed"
    AUDIT_FAILED = "audit_failed"


_BAD = {Standing.REJECTED, Standing.MISSING}


def reasons(lease: Lease) -> tuple[Reason, ...]:
    """What a lease itself knows to be wrong, each once; its keeper knows more."""
    return tuple(dict.fromkeys((*_of_iam(lease), *_of_keys(lease), *_of_token(lease))))


def _of_iam(lease: Lease) -> Iterator[Reason]:
    if lease.trouble is not None and lease.trouble.count:
        yield _reason(lease.trouble)
    # A validation that is refused says nothing of the key.
    if lease.watch.trouble is not None and lease.watch.trouble.fault is not Fault.REJECTED:
        yield _reason(lease.watch.trouble)


def _of_keys(lease: Lease) -> Iterator[Reason]:
    primary, standby = keys.at(lease.keys, Place.PRIMARY), keys.at(lease.keys, Place.STANDBY)
    if standby is not None and lease.held is not None and _in_use(lease, standby):
        yield Reason.STANDBY_KEY_IN_USE
    if primary is not None and primary.standing in _BAD and not (standby and standby.hopeful):
        yield Reason.KEY_REJECTED
    if standby is not None and standby.standing in _BAD:
        yield Reason.STANDBY_KEY_REJECTED
    if any(not record.settled and record.standing is Standing.REJECTED for record in lease.keys):
        yield Reason.NEW_KEY_REJECTED
    if any(record.standing is Standing.FOREIGN for record in lease.keys):
        yield Reason.KEY_PROJECT_MISMATCH


def _of_token(lease: Lease) -> Iterator[Reason]:
    if lease.lost and lease.held is not None:
        yield Reason.ROLES_REDUCED
    if lease.held is not None and watch.off(lease.watch):
        yield Reason.VALIDATION_OFF


def _in_use(lease: Lease, standby: KeyRecord) -> bool:
    return standby.generation == lease.using


def _reason(trouble: Trouble) -> Reason:
    return Reason(CODE_OF_FAULT[trouble.fault].value)
