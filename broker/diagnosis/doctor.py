"""All looks of `broker doctor`, which end within a known time whatever hangs."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from broker.client import address
from broker.client.address import Address, UnixAddress
from broker.client.failures import BadAddress, Unreachable
from broker.diagnosis import clocks, health, iam, identities, limits, manager, ports, sockets, variables
from broker.diagnosis.configuration import Configuration, configuration
from broker.diagnosis.examination import Examined, Look, examine
from broker.diagnosis.finding import Finding, failure, warning
from broker.diagnosis.process import broker_at
from broker.settings import Settings, UnixListener
from broker.settings.defaults import SYSTEM_CACHE
from broker.settings.tree import Iam

FIRST_SECONDS = 3.0  # for the settings and key files, and for systemd's word
LOOKS_SECONDS = 9.5  # for all the rest, side by side


@dataclass(frozen=True, slots=True)
class Scene:
    """What the looks start from."""

    settings: Settings | None
    environ: Mapping[str, str]  # with where the broker is, for a client
    units: str | None = None  # what systemd says of them


def diagnosed(config: Path | None, environ: Mapping[str, str]) -> Examined:
    """All that was found."""
    environ = beside(environ)
    read: list[Configuration] = []
    units: list[str | None] = []

    def read_settings() -> Sequence[Finding]:
        read.append(configuration(config, environ))
        return read[0].findings

    def ask_systemd() -> Sequence[Finding]:
        units.append(manager.show())
        return ()

    # Before anything connects, which starts a broker whose socket unit waits: a unit that has failed would seem to be starting.
    first = examine({"settings": read_settings, "systemd": ask_systemd}, FIRST_SECONDS)
    settings = read[0].settings if read else None
    scene = Scene(settings, _addressed(settings, environ), units[0] if units else None)
    wanted = looks(scene, environ)
    if not units:  # why it gave none was told
        del wanted["systemd"]
    rest = examine(wanted, LOOKS_SECONDS)
    return Examined([*first.findings, *rest.findings], first.unfinished or rest.unfinished)


def beside(environ: Mapping[str, str], socket: str = address.SYSTEM_SOCKET) -> Mapping[str, str]:
    """The environment in which the defaults of a broker of the system are what they are for it.

    Where they are depends on who may write, and other users may not.
    """
    if environ.get("RUNTIME_DIRECTORY") or not Path(socket).exists():
        return environ
    return {**environ, "RUNTIME_DIRECTORY": f"{Path(socket).parent}:{SYSTEM_CACHE}"}


def looks(scene: Scene, environ: Mapping[str, str]) -> dict[str, Look]:
    """Each look by what it is about, in the order in which its findings are told."""
    settings = scene.settings
    found: dict[str, Look] = {
        "systemd": partial(manager.manager, settings, environ, scene.units),
        "sockets": partial(_sockets, scene),
        "broker": partial(_broker, scene),
        "identities": partial(identities.identities, scene.environ),
        "clock": clocks.clocks,
        "environment": partial(variables.variables, environ),
    }
    if settings is None:
        return found
    for one in {_key(each): each for each in map(settings.iam_of, settings.identities)}.values():
        found[f"IAM {one.url}"] = partial(iam.iam, one)
    return found | {
        "open files": partial(limits.open_files, settings),
        "disks": partial(limits.room, settings, environ),
    }


def _key(one: Iam) -> tuple[str, Path | None]:
    return one.url, one.ca_file


def _addressed(settings: Settings | None, environ: Mapping[str, str]) -> Mapping[str, str]:
    """The environment of a client that finds the broker of the settings, unless it names one itself."""
    if environ.get(address.VARIABLE) or settings is None:
        return environ
    for listener in settings.listen:
        if "tokens" in listener.serve and (isinstance(listener, UnixListener) or listener.tcp.port):
            scheme = "unix://" if isinstance(listener, UnixListener) else "http://"
            return {**environ, address.VARIABLE: f"{scheme}{listener.label}"}
    return environ


def _place(scene: Scene) -> Address | None:
    """Where the broker is; None: another look tells why that is not known."""
    try:
        return address.find(scene.environ)
    except Unreachable:
        return None


def _sockets(scene: Scene) -> Iterator[Finding]:
    """The listeners of the settings, and the socket that a client finds."""
    listeners = () if scene.settings is None else scene.settings.listen
    seen = {listener.unix: listener for listener in listeners if isinstance(listener, UnixListener)}
    place = _place(scene)
    more = [] if not isinstance(place, UnixAddress) or Path(place.path) in seen else [Path(place.path)]
    broker = None
    for path in (*seen, *more):
        yield from sockets.unix_socket(path, seen.get(path))
        broker = broker if broker is not None else _uid(path)
    for listener in listeners:
        if not isinstance(listener, UnixListener):
            yield from ports.port(listener, broker)


def _uid(path: Path) -> int | None:
    try:
        found = broker_at(path)
    except OSError:
        return None
    return None if found is None else found.uid


def _broker(scene: Scene) -> Iterator[Finding]:
    try:
        place = address.find(scene.environ)
    except BadAddress:  # told with the environment
        return
    except Unreachable as error:
        yield failure("broker", error, absent=True)
        return
    # Where there is no file, asking tells so.
    if isinstance(place, UnixAddress) and Path(place.path).exists() and not os.access(place.path, os.W_OK):
        yield warning("broker", "was not asked: this user may not connect", "run this as root")
        return
    yield from health.health(place)
