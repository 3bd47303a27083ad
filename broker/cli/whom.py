"""Whom a grant names, in words for people."""

from collections.abc import Sequence

from broker.settings import Account


def whom(users: Sequence[Account], groups: Sequence[Account], units: Sequence[str]) -> str:
    """As `users root (0), 1001, group 50`."""
    kinds = (("user", users), ("group", groups), ("unit", units))
    return ", ".join(
        f"{kind}{'s' * (len(them) > 1)} {', '.join(map(str, them))}" for kind, them in kinds if them
    )
