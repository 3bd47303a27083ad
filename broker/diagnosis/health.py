"""What the running broker says of itself to anybody: alive, ready, and of which version."""

import re
import time
from collections.abc import Iterator

from broker import __version__
from broker.client import ask
from broker.client.address import Address
from broker.client.failures import Unreachable
from broker.diagnosis.finding import Finding, failure, ok, problem, warning

_ABOUT = "broker"
_TIMEOUT = 3.0  # seconds
_SLOW = 0.5  # a broker answers from memory within some milliseconds
_BUILD = re.compile(r'^broker_build_info\{[^}]*version="([0-9A-Za-z.+-]{1,40})"', re.MULTILINE)


def health(place: Address) -> Iterator[Finding]:
    """Three requests for which no right is needed."""
    began = time.monotonic()
    try:
        alive = ask.get(place, "/livez", {}, _TIMEOUT)
    except Unreachable as error:
        yield failure(_ABOUT, error, absent=True)
        return
    took = time.monotonic() - began
    if alive.status != 200:
        yield warning(
            _ABOUT, f"{place} answers /livez with status {alive.status}", "let its [[listen]] serve health"
        )
        return
    told = f"alive: /livez was answered in {took * 1000:.0f} ms"
    yield (
        ok(_ABOUT, told)
        if took < _SLOW
        else warning(_ABOUT, told, "see broker_loop_lag_seconds and the host's load")
    )
    yield from _ready(place)
    yield from _version(place)


def _ready(place: Address) -> Iterator[Finding]:
    try:
        tree = ask.get(place, "/readyz", {}, _TIMEOUT).tree()
    except Unreachable as error:
        yield failure(_ABOUT, error)
        return
    reports = tree.get("identities")
    reports = reports if isinstance(reports, dict) else {}
    if tree.get("ready") is True:
        yield ok(_ABOUT, f"ready: {len(reports)} of {len(reports)} identities have a usable token")
    elif tree.get("draining") is True:
        yield warning(_ABOUT, "is shutting down", "wait for the next one")
    for name, report in reports.items():
        if isinstance(report, dict) and report.get("ready") is not True:
            says = f"has no usable token: {report.get('reason')}: {report.get('detail')}"
            yield problem(f"identity {name}", says)


def _version(place: Address) -> Iterator[Finding]:
    try:
        answer = ask.get(place, "/metrics", {}, _TIMEOUT)
    except Unreachable:
        return
    found = _BUILD.search(answer.body.decode("utf-8", "replace")) if answer.status == 200 else None
    if found is None:
        yield ok(_ABOUT, f"its version was not told there; this command is {__version__}")
    elif found[1] != __version__:
        says = f"the broker is of version {found[1]}, and this command of {__version__}"
        yield warning(_ABOUT, says, "restart the broker after an upgrade")
    else:
        yield ok(_ABOUT, f"version {__version__}, as this command")
