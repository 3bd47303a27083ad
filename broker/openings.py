"""From the listeners of the settings to open sockets, each with its doorway: its gates, and how its callers are proven."""

import contextlib
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import lru_cache
from typing import cast

import structlog

from broker.callers import process, tcp, unix
from broker.callers.listeners import laxer, tcp_listener, unix_listener
from broker.callers.overflow import ambiguous_gid, ambiguous_uid
from broker.callers.recent import Recent
from broker.callers.sock_diag import SockDiag, end_of
from broker.callers.tcp import TcpProver
from broker.core.access import Workload
from broker.core.errors import ConfigError, Problem
from broker.facade.keystone import KEYSTONE
from broker.serving.doorway import Doorway, Prove, Serve
from broker.serving.gates import OPEN_GATES, UNIX_GATES, loopback_gates
from broker.settings import Settings, TcpListener, UnixListener
from broker.systemd.descriptors import NONE_PASSED, Passed, lent

_log = structlog.get_logger()

# Of so many users, the callers over TCP are kept at hand.
_MOST_USERS = 1024

Opened = tuple[Doorway, socket.socket]


def openings(
    settings: Settings, now: Callable[[], float] | None = None, passed: Mapping[str, Passed] = NONE_PASSED
) -> Iterator[AbstractContextManager[Opened]]:
    """A context for each listener, which holds its socket open. Raises ConfigError.

    `now` is CLOCK_BOOTTIME in seconds; without it, nothing is remembered of the processes that connect. `passed` are sockets
    that were opened before, by the labels of their listeners.
    """
    _judge(settings, passed)
    hosts = frozenset(settings.serving.hosts)
    for listener in settings.listen:
        its = passed.get(listener.label)
        if isinstance(listener, UnixListener):
            yield _unix(listener, its, now)
        elif _can_be_opened(listener):
            yield _tcp(listener, its, hosts)


def _judge(settings: Settings, passed: Mapping[str, Passed]) -> None:
    """People would believe that somebody answers at a socket that no listener has."""
    labels = {listener.label for listener in settings.listen}
    problems = [
        Problem(
            f"the socket {one.name} that was handed over",
            f"listens at {label}, which no [[listen]] has",
            f"add one, or take it out of the socket unit; the settings have {', '.join(sorted(labels))}",
        )
        for label, one in passed.items()
        if label not in labels
    ]
    problems += [problem for each in settings.listen if (problem := _too_lax(each, passed))]
    if problems:
        raise ConfigError(*problems)


def _too_lax(listener: UnixListener | TcpListener, passed: Mapping[str, Passed]) -> Problem | None:
    """Where whoever connects may be granted a token, more could connect than the settings say."""
    if not isinstance(listener, UnixListener) or listener.label not in passed:
        return None
    try:
        found = laxer(listener.unix, listener.mode, listener.group)
    except OSError as error:
        found = f"cannot be seen ({error.strerror})"
    remedy = "write SocketMode= and SocketGroup= into a drop-in of the socket unit"
    return Problem(f"{listener.label}, as it was handed over", found, remedy) if found else None


@contextlib.contextmanager
def _unix(listener: UnixListener, its: Passed | None, now: Callable[[], float] | None) -> Iterator[Opened]:
    label = listener.label
    uid, gid = ambiguous_uid(), ambiguous_gid()

    def prove(connection: object) -> Workload | None:
        return unix.prove(cast("process.Connection", connection), label, uid, gid, recent=recent)

    memory = contextlib.nullcontext() if now is None else contextlib.closing(Recent(now))
    opened = unix_listener(listener.unix, listener.mode, listener.group) if its is None else lent(its)
    with memory as recent, opened as listening:
        yield Doorway(label, _served(listener), UNIX_GATES, prove), listening


@contextlib.contextmanager
def _tcp(listener: TcpListener, its: Passed | None, hosts: frozenset[str]) -> Iterator[Opened]:
    address, serve = listener.tcp, _served(listener)
    with (
        tcp_listener(address.host, address.port) if its is None else lent(its) as listening,
        contextlib.closing(SockDiag()) as kernel,
    ):
        # Port 0 means any free one, so only the socket knows.
        label = str(replace(address, port=listening.getsockname()[1]))
        if Serve.TOKENS in serve:
            proof = _proof(address.host, label, kernel, listening)
            yield Doorway(label, serve, loopback_gates(hosts), proof, (KEYSTONE,)), listening
        else:
            # Probes and scrapers from anywhere: nothing secret has a route here, so nobody need be known.
            yield Doorway(label, serve, OPEN_GATES, _nobody), listening


def _proof(host: str, label: str, kernel: SockDiag, listening: socket.socket) -> Prove:
    """The proof of callers over TCP, if it works on this host; otherwise nobody is proven there, and the log says why."""
    prover = TcpProver(kernel, ambiguous_uid())
    if problem := prover.self_test(host):
        _log.error("tcp_serves_no_tokens", listener=label, detail=problem)
        return _nobody
    ours = end_of(listening.getsockname())  # one loopback address: no other listener serves tokens

    # Over TCP a caller is its uid and nothing else, so all its connections hold one object.
    @lru_cache(maxsize=_MOST_USERS)
    def workload(uid: int) -> Workload:
        return Workload(uid=uid, gid=None, pid=None, listener=label)

    def prove(connection: object) -> Workload | None:
        uid = prover.prove(cast("tcp.Connection", connection), ours)
        return None if uid is None else workload(uid)

    return prove


def _nobody(connection: object) -> None:
    del connection


def _served(listener: UnixListener | TcpListener) -> frozenset[Serve]:
    return frozenset(Serve(kind) for kind in listener.serve)


def _can_be_opened(listener: TcpListener) -> bool:
    """False for a default listener whose kind of address this host lacks, as [::1] where there is no IPv6.

    A socket unit can listen at such an address all the same (FreeBind=); nobody can reach it there.
    """
    if not listener.if_available:
        return True
    family = socket.AF_INET6 if ":" in listener.tcp.host else socket.AF_INET
    try:
        with socket.socket(family) as probe:
            probe.bind((listener.tcp.host, 0))
    except OSError as error:
        _log.info("listener_left_out", listener=listener.label, detail=error.strerror)
        return False
    return True
