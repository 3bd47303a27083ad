"""One plain sentence with the remedy for each reason for which an identity is not in order."""

from broker.core import keys
from broker.core.degraded import Reason
from broker.core.errors import CODE_OF_FAULT, Fault
from broker.core.keys import KeyRecord, Place, Standing
from broker.core.trouble import Trouble
from broker.keeper import tending
from broker.keeper.health import soon
from broker.keeper.keeper import Keeper
from broker.serving import moments

_REPLACE = "create a new access key and put it in this one's place; the broker picks it up by itself"


def sentence(keeper: Keeper, reason: Reason) -> str:
    """Why this reason holds now, and what to do."""
    match reason:
        case Reason.IAM_UNAVAILABLE | Reason.IAM_THROTTLED:
            return _of_iam(keeper, reason)
        case Reason.ROLES_REDUCED:
            return _roles(keeper)
        case Reason.VALIDATION_OFF:
            return _validation(keeper)
        case Reason.CLOCK_SKEW:
            return _skew(keeper)
        case Reason.CACHE_UNWRITABLE:
            return keeper.remembrance.unwritable or ""
        case Reason.SINK_FAILED:
            return keeper.ailments().get(reason, "")
        case Reason.AUDIT_FAILED:
            return keeper.ailments().get(
                reason, "the audit trail is written again; lines before this are missing"
            )
        case _:
            return _of_keys(keeper, reason)


def _of_keys(keeper: Keeper, reason: Reason) -> str:
    known = keeper.lease.keys
    primary, standby = keys.at(known, Place.PRIMARY), keys.at(known, Place.STANDBY)
    match reason:
        case Reason.STANDBY_KEY_IN_USE:
            return f"the standby access key serves in place of the primary one; {_bad(primary)}"
        case Reason.STANDBY_KEY_REJECTED:
            return _bad(standby)
        case Reason.NEW_KEY_REJECTED:
            new = next(each for each in known if not each.settled and each.standing is Standing.REJECTED)
            return f"{new.detail}; until then the {_place(new)} access key of before stays"
        case Reason.KEY_PROJECT_MISMATCH:
            return next(each.detail for each in known if each.standing is Standing.FOREIGN)
        case Reason.KEY_EXPIRES_SOON:
            return _ends(keeper)
        case _:
            trouble = keeper.lease.trouble
            rejected = trouble is not None and trouble.fault is Fault.REJECTED and trouble.count
            return trouble.detail if trouble and rejected else _bad(primary)


def _bad(record: KeyRecord | None) -> str:
    if record is None:
        return "it has gone from the configuration, and its next token comes with the one that is there"
    if record.standing is Standing.MISSING:
        return f"there is no readable {_place(record)} access key; mend its source, it is looked at again"
    return record.detail or f"the {_place(record)} access key is tried again"


def _ends(keeper: Keeper) -> str:
    wall = keeper.clock.wall()
    there = [each for each in keeper.lease.keys if each.settled and each.standing is not Standing.MISSING]
    ends = [(each, tending.key_end(keeper, each)) for each in there]
    told = [
        f"the {_place(each)} access key ends at {moments.shown(end)}" for each, end in ends if soon(end, wall)
    ]
    return f"{' and '.join(told)}; {_REPLACE}"


def _of_iam(keeper: Keeper, reason: Reason) -> str:
    troubles = (keeper.lease.trouble, keeper.lease.watch.trouble)
    return next((trouble.detail for trouble in troubles if trouble and _means(trouble, reason)), "")


def _means(trouble: Trouble, reason: Reason) -> bool:
    return trouble.count > 0 and CODE_OF_FAULT[trouble.fault].value == reason.value


def _roles(keeper: Keeper) -> str:
    lost = [role.name for role in keeper.lease.lost]
    return (
        f"tokens have lost the role{'s' * (len(lost) > 1)} {', '.join(lost)}; where that was not meant, "
        "give it back to the user in its project"
    )


def _validation(keeper: Keeper) -> str:
    if keeper.lease.watch.exempt:
        why = "the access key has access rules, with which no token can be validated"
    else:
        why = "IAM has refused every way to validate a token of this access key"
    return f"{why}; that a token has died is heard from reports alone (`broker reject`)"


def _skew(keeper: Keeper) -> str:
    seconds = 0.0 if keeper.skew is None else keeper.skew.total_seconds()
    way = "ahead of" if seconds > 0 else "behind"
    return f"the host's clock is {abs(seconds):.0f} s {way} IAM's; mend NTP, tokens do not suffer"


def _place(record: KeyRecord) -> str:
    return record.place.name.lower()
