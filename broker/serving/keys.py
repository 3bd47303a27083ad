"""The access keys of an identity as workloads and operators read them: places and labels, never a secret."""

from broker.core.keys import KeyRecord
from broker.core.model import Token
from broker.keeper import tending
from broker.keeper.keeper import Keeper
from broker.serving import moments


def shown(keeper: Keeper, token: Token | None) -> dict[str, object]:
    """The fields of an identity's state that are about keys; `token` is the one that is served."""
    kept = keeper.lease
    used = None if token is None else _in_use(keeper)
    end = None if used is None else tending.key_end(keeper, used)
    return {
        "key": keeper.places.label(kept.keys, kept.watch.key),
        "key_in_use": used and used.place.name.lower(),
        "key_expires_at": (token and token.key_expires_at) or moments.shown(end),
        "keys": [_key(keeper, record) for record in kept.keys],
    }


def _in_use(keeper: Keeper) -> KeyRecord | None:
    kept = keeper.lease
    return next((record for record in kept.keys if record.settled and record.ref == kept.watch.key), None)


def _key(keeper: Keeper, record: KeyRecord) -> dict[str, object]:
    return {
        "place": record.place.name.lower(),
        "label": keeper.places.label((record,), record.ref) or None,
        "standing": record.standing.value,
        "new": not record.settled,
        "expires_at": moments.shown(tending.key_end(keeper, record)),
        "detail": record.detail or None,
        "risks": list(tending.key_risks(keeper, record)),
    }
