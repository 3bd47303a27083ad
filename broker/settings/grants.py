"""Who is granted what, as it is written; `core.access` judges it.

- Names are looked up when the settings are loaded, so that an unknown one is a problem and not a grant to nobody.
- A number is taken as it is: containers often have no line for it in /etc/passwd.
- A unit is one of the system's own manager, in full; it may be started later, so that none is looked up. A slice grants to
  all that runs in it, such as one user's whole session.
"""

import grp
import pwd
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Self

from pydantic import PlainValidator, model_validator

from broker.core import access
from broker.settings.kinds import NOT_TEXT, Name, told
from broker.settings.listeners import Label
from broker.settings.table import Table

# The last number of 32 bits means "none" to the kernel.
_LAST = 2**32 - 2
_DIGITS = re.compile(r"[0-9]+", re.ASCII)
_UNIT = re.compile(r"[A-Za-z0-9:_.\\-]+(@[A-Za-z0-9:_.\\-]+)?\.(service|scope|slice)")


@dataclass(frozen=True, slots=True)
class Account:
    """A user or a group of this host."""

    number: int
    name: str | None = None  # None: it was given by number

    def __str__(self) -> str:
        return f"{self.name} ({self.number})" if self.name else str(self.number)


def _account(kind: str, find: Callable[[str], int]) -> PlainValidator:
    def check(value: object) -> Account:
        if isinstance(value, Account):
            return value
        if isinstance(value, bool) or not isinstance(value, int | str):
            raise told("is neither a name nor a number", 'write it like "app" or 1001')
        if isinstance(value, str) and not _DIGITS.fullmatch(value):
            try:
                return Account(find(value), value)
            except (KeyError, ValueError):
                what = f"is no {kind} of this host"
                raise told(what, f"create the {kind}, or give its name or number") from None
        # Python reads no number of thousands of digits.
        if len(str(value).lstrip("0")) > len(str(_LAST)) or not 0 <= int(value) <= _LAST:
            raise told("is out of bounds", f"choose a number between 0 and {_LAST}")
        return Account(int(value))

    return PlainValidator(check)


def _unit(value: object) -> str:
    if not isinstance(value, str):
        raise told(*NOT_TEXT)
    if not _UNIT.fullmatch(value) or len(value) > 255:
        raise told("is not the whole name of a unit", 'write it like "app.service" or "user-1001.slice"')
    return value


UserAccount = Annotated[Account, _account("user", lambda name: pwd.getpwnam(name).pw_uid)]
GroupAccount = Annotated[Account, _account("group", lambda name: grp.getgrnam(name).gr_gid)]


class Grant(Table):
    """The right to read one identity's token."""

    identity: Name
    users: tuple[UserAccount, ...] = ()
    groups: tuple[GroupAccount, ...] = ()
    units: tuple[Annotated[str, PlainValidator(_unit)], ...] = ()  # services, scopes and slices of systemd
    listeners: tuple[Label, ...] = ()  # where it holds; none: on all
    any: bool = False  # whoever reaches the listeners, which are then named

    @model_validator(mode="after")
    def _names_somebody(self) -> Self:
        if self.any and (self.users or self.groups or self.units):
            raise told("grants both `any` and some by name", "keep `any`, or keep users, groups and units")
        if self.any and not self.listeners:
            raise told(
                "grants `any` on every listener",
                "name under `listeners` where whoever reaches them may read",
            )
        if not (self.any or self.users or self.groups or self.units):
            raise told("names nobody", "add users, groups, units, or any = true with listeners")
        return self

    def value(self) -> access.Grant:
        """What is judged by."""
        return access.Grant(
            identity=self.identity,
            users=frozenset(user.number for user in self.users),
            groups=frozenset(group.number for group in self.groups),
            units=frozenset(self.units),
            listeners=frozenset(self.listeners),
            anyone=self.any,
        )
