"""What a service manager has given this process: a way to tell it things, and sockets."""

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass

from broker.systemd.descriptors import NONE_PASSED, Passed, passed
from broker.systemd.notify import Manager


@dataclass(frozen=True, slots=True)
class Handed:
    """Both of it."""

    manager: Manager
    sockets: Mapping[str, Passed]  # by the labels of listeners

    @classmethod
    def by(cls, environ: MutableMapping[str, str]) -> "Handed":
        """What this environment tells, out of which it is taken. Raises ConfigError."""
        return cls(Manager.of(environ), passed(environ))


NOTHING = Handed(Manager(), NONE_PASSED)
