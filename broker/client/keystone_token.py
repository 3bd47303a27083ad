"""A token with Keystone's whole answer to it, as clients need it that are made for Keystone."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from broker.client import fetch
from broker.core.secret import Secret

if TYPE_CHECKING:
    from broker.client.ask import Steps
    from broker.client.asking import Asking


@dataclass(frozen=True, slots=True)
class KeystoneToken:
    """What IAM gave for an identity; the token itself is not in the body."""

    identity: str
    value: Secret
    body: dict[str, Any] = field(repr=False)


def keystone_steps(asking: Asking) -> Steps[KeystoneToken]:
    """The one of the identity, or of the usual one."""
    identity = asking.identity or (yield from asking.token_steps()).identity
    target = f"{fetch.path_of(identity)}/keystone"
    answer = fetch.checked((yield from fetch.awaited(target, asking.timeout, patient=True)))
    tree = answer.tree()
    body = tree.get("body")
    if not isinstance(body, dict) or not isinstance(body.get("token"), dict):
        raise fetch.strange()
    return KeystoneToken(identity, Secret(tree["token"]), body)
