"""Requests as an observer is told of them: each that was not cancelled, once, with how it went and how long it took."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from broker.core.errors import IamError
from broker.core.ports import Clock

# Operation, "ok" or the fault, seconds. Must not raise.
OnRequest = Callable[[str, str, float], None]


def nobody(_operation: str, _outcome: str, _seconds: float) -> None:
    """An observer who is told in vain."""


@contextmanager
def observed(on_request: OnRequest, operation: str, clock: Clock) -> Iterator[float]:
    """One request: what is done within, from its sending until it is understood. Gives the moment of its sending."""
    sent_at = clock.now()
    try:
        yield sent_at
    except IamError as error:
        on_request(operation, error.fault.value, clock.now() - sent_at)
        raise
    on_request(operation, "ok", clock.now() - sent_at)
