"""systemd's word on the broker, where it runs it; it is never required.

`systemctl show` alone is asked, without a shell and within a deadline; any user may.
"""

import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence

from broker.diagnosis.credentials import RENEWED, by_systemd
from broker.diagnosis.finding import Finding, ok, problem, warning
from broker.settings import Settings
from broker.settings.cautions import SYSTEMD

SERVICE, SOCKET = "kakaocloud-broker.service", "kakaocloud-broker.socket"
_PROPERTIES = "Id,MainPID,LoadState,ActiveState,SubState,Result,NRestarts,NeedDaemonReload,Listen,StatusText,UnitFileState"
_TIMEOUT = 2.5  # seconds
_ABOUT = "systemd"

Unit = Mapping[str, Sequence[str]]


def show() -> str | None:
    """What `systemctl show` says of both units; None: there is no systemd to ask. Raises OSError."""
    if not SYSTEMD.is_dir():
        return None
    command = ["systemctl", "show", "--no-pager", f"--property={_PROPERTIES}", SERVICE, SOCKET]
    environment = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}
    try:
        done = subprocess.run(  # noqa: S603  (fixed words; by PATH, since distributions put it in different folders)
            command, capture_output=True, text=True, timeout=_TIMEOUT, check=False, env=environment
        )
    except FileNotFoundError:
        return None
    except subprocess.TimeoutExpired:
        raise TimeoutError(None, "systemctl does not answer") from None
    if done.returncode != 0:
        raise OSError(None, "systemctl show fails")
    return done.stdout


def manager(settings: Settings | None, environ: Mapping[str, str], said: str | None) -> Iterator[Finding]:
    """The state of both units by what `show` said, and what of the settings does not go with them."""
    units = {} if said is None else units_of(said)
    service, socket = units.get(SERVICE, {}), units.get(SOCKET, {})
    if _first(service, "LoadState") != "loaded":
        yield ok(_ABOUT, "the broker is not managed by systemd here")
    else:
        yield from _service(service, socket_waits=_first(socket, "ActiveState") == "active")
        if _first(socket, "LoadState") == "loaded":
            yield from _socket(socket, settings)
        else:
            yield ok(_ABOUT, f"there is no {SOCKET}: a restart refuses connections for a moment")
    yield from _credentials(settings, environ)


def units_of(text: str) -> dict[str, Unit]:
    """The properties of each unit, by its name; a property may stand several times."""
    units: dict[str, Unit] = {}
    for block in text.strip().split("\n\n"):
        found: dict[str, list[str]] = {}
        for line in block.splitlines():
            name, same, value = line.partition("=")
            if same:
                found.setdefault(name, []).append(value)
        units[_first(found, "Id")] = found
    return units


def _first(unit: Unit, name: str) -> str:
    return next(iter(unit.get(name, ())), "")


def _service(unit: Unit, *, socket_waits: bool) -> Iterator[Finding]:
    state, result = _first(unit, "ActiveState"), _first(unit, "Result")
    told = f": {status}" if (status := _first(unit, "StatusText")) else ""
    match state:
        case "active":
            yield ok(_ABOUT, f"{SERVICE} is active{told}")
        case "failed":
            yield problem(
                _ABOUT, f"{SERVICE} has failed ({result})", f"see why: journalctl -u {SERVICE} -n 30"
            )
        case "inactive" if socket_waits:
            yield ok(_ABOUT, f"{SERVICE} is not started yet: the first connection will")
        case "inactive":
            remedy = f"systemctl enable --now {SOCKET} {SERVICE}"
            yield problem(_ABOUT, f"{SERVICE} is not started", remedy, absent=True)
        case _:
            yield warning(
                _ABOUT, f"{SERVICE} is {state}{told}", f"see its log: journalctl -u {SERVICE} -n 30"
            )
    restarts = _first(unit, "NRestarts")
    if restarts.isdecimal() and int(restarts) > 0:
        yield warning(
            _ABOUT, f"has restarted {SERVICE} {restarts} times by itself", f"see why: journalctl -u {SERVICE}"
        )
    if _first(unit, "NeedDaemonReload") == "yes":
        yield warning(
            _ABOUT, f"the file of {SERVICE} has changed since it was read", "systemctl daemon-reload"
        )


def _socket(unit: Unit, settings: Settings | None) -> Iterator[Finding]:
    match state := _first(unit, "ActiveState"):
        case "active":
            yield ok(_ABOUT, f"{SOCKET} listens: a restart refuses no connection")
        case "failed":
            says = f"{SOCKET} has failed ({_first(unit, 'Result')}), so that nobody waits in its queue"
            remedy = f"when {SERVICE} is in order: systemctl reset-failed {SOCKET} {SERVICE}; systemctl start {SERVICE}"
            yield problem(_ABOUT, says, remedy)
        case _:
            says = f"{SOCKET} is {state or 'unknown'}: a restart refuses connections for a moment"
            # systemd opens no socket for a service that runs, whose own are in the way too.
            yield warning(
                _ABOUT,
                says,
                f"systemctl enable {SOCKET}; systemctl stop {SERVICE}; systemctl start {SOCKET} {SERVICE}",
            )
    if settings is None:
        return
    its = {text.rpartition(" (")[0] for text in unit.get("Listen", ())}
    ours = {listener.label for listener in settings.listen}
    for label in sorted(its - ours):
        remedy = "add one, or take its ListenStream= out of the socket unit"
        yield problem(_ABOUT, f"{SOCKET} listens at {label}, which no [[listen]] has", remedy)
    for label in sorted(ours - its):
        says = f"{SOCKET} does not listen at {label}: there a restart refuses connections for a moment"
        yield ok(_ABOUT, says, "add it by a drop-in as ListenStream=, if that matters")


def _credentials(settings: Settings | None, environ: Mapping[str, str]) -> Iterator[Finding]:
    for name, identity in ({} if settings is None else settings.identities).items():
        for words in identity.keys:
            if by_systemd(words, environ):
                yield ok(f"key {name}", f"{words} comes from systemd", RENEWED)
