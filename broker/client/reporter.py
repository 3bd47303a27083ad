"""A service has refused a token with 401: find another one, for any number of requests at once.

- The broker is asked first: if it serves another token by now, that is the answer, and nothing is reported.
- Else the token is reported, once for all requests that were sent before the verdict; the others wait for it.
- The same token is never the answer. Where IAM says that it lives, or nothing can be found out, the 401 is the user's to see;
  a request after that is reported anew, and by then the broker believes it (docs/use.md).
- What fails here is logged: the 401 that was got says more to the user than that no report could be made.
"""

from __future__ import annotations

import logging
import os
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from broker.client.failures import ClientError
from broker.client.fetch import run

if TYPE_CHECKING:
    from broker.client.ask import Steps
    from broker.client.asking import Asking, Given
    from broker.client.token import Token
    from broker.core.secret import Secret

_log = logging.getLogger("broker.client")


@dataclass(frozen=True, slots=True)
class Sent:
    """A token that goes with a request, and how many verdicts there had been by then."""

    token: Given
    verdicts: int


class Reporter:
    """What requests that share a lock have found out together."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking
        self._verdicts = 0
        self._same: Secret | None = None  # the token that the last verdict has left in place

    def sent(self, token: Given) -> Sent:
        """The token leaves with a request now."""
        return Sent(token, self._verdicts)

    def another_steps(self, refused: Sent) -> Steps[Token | None]:
        """Another token than the one that was refused; None where there is none. One runs at a time."""
        value = refused.token.value
        if self._verdicts > refused.verdicts and self._same == value:
            return None
        try:
            now = yield from self._asking.token_steps()
            if now.value == value:
                now = (yield from self._asking.reject_steps(refused.token)).token or now
        except ClientError as error:
            _log.warning("a refused token could not be replaced: %s", error)
        else:
            if now.value != value:
                return now
        self._verdicts += 1
        self._same = value
        return None


class ThreadReporter(Reporter):
    """For requests that are made in threads."""

    def __init__(self, asking: Asking) -> None:
        super().__init__(asking)
        self._lock, self._pid = threading.Lock(), os.getpid()

    def another(self, refused: Sent) -> Token | None:
        """Another token than the one that was refused; None where there is none."""
        if self._pid != os.getpid():  # a fork keeps a lock as it was, whoever had it
            self._lock, self._pid = threading.Lock(), os.getpid()
        with self._lock:
            return run(self._asking.find, self.another_steps(refused))
