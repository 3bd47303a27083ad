"""The broker's TCP listeners: do they answer, is it the broker that answers, and can callers be proven over them here."""

import socket
from collections.abc import Iterator
from contextlib import closing

from broker.callers.overflow import ambiguous_uid
from broker.callers.sock_diag import SockDiag, end_of
from broker.callers.tcp import TcpProver
from broker.client import ask
from broker.client.address import TcpAddress
from broker.client.failures import Unreachable
from broker.diagnosis.finding import Finding, ok, problem, warning
from broker.settings import TcpListener

_TIMEOUT = 2.0  # seconds
_START = "start the broker, or see tcp_serves_no_tokens and listener_left_out in its log"
_UNSPECIFIED = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  (asked on loopback)


def port(listener: TcpListener, broker: int | None) -> Iterator[Finding]:
    """What can be said of one; `broker` is the uid that serves the Unix socket, where that is known.

    Root is believed too: systemd may have opened it.
    """
    address = listener.tcp
    host, about = _UNSPECIFIED.get(address.host, address.host), f"port {address}"
    if address.port == 0:
        yield ok(about, "any that is free: only the broker's log says which, under serving")
        return
    if not _has(host):
        says = f"this host has no address {host}"
        if listener.if_available:
            yield ok(about, f"{says}; a default listener is left out then")
        else:
            yield problem(about, says, "take it out of [[listen]], or give the host that address")
        return
    place = TcpAddress(host, address.port)
    try:
        answer = ask.get(place, "/livez" if "health" in listener.serve else "/v1/identities", {}, _TIMEOUT)
        owner = owner_of(place)
    except Unreachable as error:
        yield problem(about, str(error), _START, absent=True)
        return
    except OSError as error:
        yield problem(about, f"cannot be reached ({error.strerror or type(error).__name__})", _START)
        return
    if broker is not None and owner not in {None, broker, 0}:
        yield problem(
            about,
            f"is held by uid {owner}, and the broker is uid {broker}",
            "find out who took it: ss -ltnpe",
        )
        return
    told = answer.tree() if answer.kind.endswith("json") else {}
    if "health" in listener.serve and told.get("status") != "ok":
        yield problem(about, "is answered by something else than a broker", "find out who took it: ss -ltnpe")
        return
    yield ok(about, "answers" + ("" if owner is None else f", served by uid {owner}"))
    if "tokens" in listener.serve:
        yield from _proof(about, host)
        yield _facade(about, place)


def owner_of(place: TcpAddress) -> int | None:
    """The uid that holds the other end of a connection to this address, as the kernel knows it; None: not told. Raises OSError."""
    family = socket.AF_INET6 if ":" in place.host else socket.AF_INET
    with socket.socket(family) as client, closing(SockDiag()) as kernel:
        client.settimeout(_TIMEOUT)
        client.connect((place.host, place.port))
        # Until it is accepted, a connection has no owner.
        client.sendall(ask.request(place, "/livez", {}))
        client.recv(1)
        ours, theirs = end_of(client.getsockname()), end_of(client.getpeername())
        try:
            found = None if ours is None or theirs is None else kernel.find(theirs, ours)
        except OSError:  # the proof tells why
            return None
        return (
            found.uid
            if found is not None and (found.own, found.other) == (theirs, ours) and found.inode
            else None
        )


def _proof(about: str, host: str) -> Iterator[Finding]:
    with closing(SockDiag()) as kernel:
        trouble = TcpProver(kernel, ambiguous_uid()).self_test(host)
    if trouble:
        yield warning(
            about, f"{trouble}, as this user and here", "if the broker's log says so too, use its Unix socket"
        )
    else:
        yield ok(about, "the kernel proves callers here")


def _facade(about: str, place: TcpAddress) -> Finding:
    """Keystone's version document needs no right."""
    try:
        answer = ask.get(place, "/identity/v3", {}, _TIMEOUT)
    except Unreachable as error:
        return problem(about, f"the Keystone facade does not answer: {error}")
    if answer.status == 200 and "version" in answer.tree():
        return ok(about, "the Keystone facade answers below /identity/v3")
    return warning(
        about, f"the Keystone facade answers with status {answer.status}", "see refused in the broker's log"
    )


def _has(host: str) -> bool:
    try:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.bind((host, 0))
    except OSError:
        return False
    return True
