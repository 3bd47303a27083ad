"""Where the broker listens: on Unix sockets, and on TCP at literal addresses.

- A listener is known by its label, the socket's path or the address in normal form; grants and limits name it so.
- Tokens are served on Unix sockets and loopback only; any other address is for health and metrics alone, and says so.
- A name such as localhost is no address: what it stands for is another file's matter, and may change.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from itertools import combinations
from typing import Annotated, ClassVar, Literal, Self, TypeAlias

from pydantic import (
    AfterValidator,
    Discriminator,
    PlainValidator,
    Tag,
    ValidationInfo,
    field_validator,
    model_validator,
)

from broker.settings.kinds import NOT_TEXT, Group, Mode, Name, SocketPath, socket_file, told
from broker.settings.table import Table

Service: TypeAlias = Literal["tokens", "health", "metrics"]
SERVICES: tuple[Service, ...] = ("tokens", "health", "metrics")
TOKENS_WHERE = "tokens are served on Unix sockets and loopback only"
_EXAMPLES = 'write it like "127.0.0.1:9780" or "[::1]:9780"'
_ADDRESS = re.compile(r"(?:\[([^\[\]]+)\]|([^\[\]:]+)):([0-9]{1,5})")


@dataclass(frozen=True, slots=True)
class Address:
    """An IP address in normal form, with a port."""

    host: str
    port: int  # 0: any that is free, for tests

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        return ip_address(self.host).is_loopback

    def covers(self, other: "Address") -> bool:
        """Whether one of the two cannot be bound beside the other."""
        mine, its = ip_address(self.host), ip_address(other.host)
        if self.port != other.port or mine.version != its.version:
            return False
        return mine == its or (self.port != 0 and (mine.is_unspecified or its.is_unspecified))


def address(value: object) -> Address:
    """The address that a text means; raises what `told` makes."""
    if isinstance(value, Address):
        return value
    if not isinstance(value, str):
        raise told(*NOT_TEXT)
    match = _ADDRESS.fullmatch(value)
    if match is None or not match[3].isascii():
        raise told("is not an address with a port", _EXAMPLES)
    try:
        host = ip_address(match[1] or match[2])
    except ValueError:
        raise told("holds a name, not an address", _EXAMPLES) from None
    if (host.version == 6) is not bool(match[1]):
        raise told("is not an address with a port", _EXAMPLES)
    if isinstance(host, IPv6Address) and (host.ipv4_mapped or host.scope_id):
        raise told("is an IPv4 address in IPv6 form, or has a zone", _EXAMPLES)
    if int(match[3]) > 65535:
        raise told("has a port that does not exist", "choose one between 1 and 65535")
    return Address(str(host), int(match[3]))


def label(value: object) -> str:
    """The label of the listener that a text names; raises what `told` makes."""
    if isinstance(value, str) and not names_tcp(value):
        return str(socket_file(value))
    if isinstance(value, str) and ":" not in value:
        raise told("is neither the path of a socket nor an address", "name a listener as [[listen]] does")
    return str(address(value))


def names_tcp(label: str) -> bool:
    """Whether a label is that of an address: all others are paths."""
    return not label.startswith("/")


def _services(services: tuple[Service, ...]) -> tuple[Service, ...]:
    if not services:
        raise told("serves nothing", "name tokens, health or metrics, or leave it out")
    return services


def _limit(names: tuple[str, ...] | None) -> tuple[str, ...] | None:
    if names == ():
        raise told("names no identity", "name one, or leave it out for all of them")
    return names


Services = Annotated[tuple[Service, ...], AfterValidator(_services)]
Limit = Annotated[tuple[Name, ...] | None, AfterValidator(_limit)]
Label = Annotated[str, PlainValidator(label)]


class UnixListener(Table):
    """A socket for the workloads of this host; the kernel proves who calls, so all may connect."""

    is_tcp: ClassVar[bool] = False

    unix: SocketPath
    mode: Mode = 0o666
    group: Group | None = None
    serve: Services = SERVICES
    identities: Limit = None  # None: all of them

    @property
    def label(self) -> str:
        return str(self.unix)


class TcpListener(Table):
    """An address; on loopback the kernel proves the user who calls, elsewhere nobody is proven."""

    is_tcp: ClassVar[bool] = True
    if_available: ClassVar[bool] = False  # True: a host without this address starts all the same

    tcp: Annotated[Address, PlainValidator(address)]
    serve: Services = SERVICES
    identities: Limit = None

    @property
    def label(self) -> str:
        return str(self.tcp)

    @field_validator("serve")
    @classmethod
    def _no_tokens_beyond_loopback(
        cls, serve: tuple[Service, ...], info: ValidationInfo
    ) -> tuple[Service, ...]:
        where = info.data.get("tcp")
        if where is not None and not where.is_loopback and "tokens" in serve:
            raise told(TOKENS_WHERE, 'take "tokens" out here, or listen on 127.0.0.1 or [::1]')
        return serve

    @model_validator(mode="after")
    def _says_what_it_serves(self) -> Self:
        if not self.tcp.is_loopback and "tokens" in self.serve:
            raise told(
                f"does not say what it serves, and {TOKENS_WHERE}", 'add serve = ["health", "metrics"]'
            )
        if self.tcp.port == 0 and self.identities is not None:
            # Only the open socket knows its port, and a limit that is not found limits nothing.
            raise told("limits an address without a fixed port to identities", "choose a port")
        return self


class TcpListenerIfAvailable(TcpListener):
    """A default that not every host has, as [::1]; a class of its own, so that no setting can ask for it."""

    if_available: ClassVar[bool] = True


def _tag(value: object) -> str:
    """Which of the two is meant; where none or both are, the sentence about a Unix listener says it."""
    if isinstance(value, dict):
        return "tcp" if "tcp" in value and "unix" not in value else "unix"
    return "tcp" if isinstance(value, TcpListener) else "unix"


Listener: TypeAlias = UnixListener | TcpListener
AnyListener = Annotated[
    Annotated[UnixListener, Tag("unix")] | Annotated[TcpListener, Tag("tcp")], Discriminator(_tag)
]


def distinct(listeners: tuple[Listener, ...]) -> tuple[Listener, ...]:
    """The listeners, if each can be bound beside the others."""
    if not listeners:
        raise told("names no listener", "give one, or leave it out for the default")
    if _repeats(listener.label for listener in listeners if not listener.is_tcp):
        raise told("names one socket twice", "keep one of the two")
    addresses = [listener.tcp for listener in listeners if isinstance(listener, TcpListener)]
    if _repeats(map(str, addresses)):
        raise told("names one address twice", "keep one of the two")
    if any(one.covers(other) for one, other in combinations(addresses, 2)):
        raise told("names an address that another one covers", "keep one of the two, or change a port")
    return listeners


def _repeats(labels: Iterable[str]) -> bool:
    seen = list(labels)
    return len(set(seen)) < len(seen)
