"""Each new token of an identity, by long poll, for as long as the caller likes.

Rules: a broker that is away or without a token is asked again until it is back, and that is told once per absence; a refusal
ends it; a server that does not wait as it was asked to is not asked without a pause.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from broker.client import address, ask, fetch
from broker.client.failures import BadAddress, Unreachable
from broker.client.reply import Answer

# What a poll may take beyond its wait: a broker may be busy just when all its pollers wake.
_GRACE = 5.0
# The least time between two questions.
_PACE = 1.0
_LONGEST_PAUSE = 30.0


@dataclass(frozen=True, slots=True)
class _Round:
    """What one poll brought: a token, or why there is none, or neither when nothing changed."""

    answer: Answer | None = None
    reason: str | None = None
    pause: float = _PACE


def tokens(
    environ: Mapping[str, str],
    identity: str | None,
    timeout: float,
    min_ttl: float | None,
    away: Callable[[str], None],
) -> Iterator[Answer]:
    """The token, waited for up to `timeout` seconds, then each new one; `away` is told why there is none for now.

    Raises ClientError when the first does not come, or when the broker refuses.
    """
    latest = fetch.token(environ, identity, timeout, min_ttl)
    yield latest
    target, told = fetch.token_target(identity, min_ttl), False
    while True:
        asked = time.monotonic()
        found = _poll(environ, target, latest.etag)
        if found.reason is not None and not told:
            away(found.reason)
        told = found.reason is not None
        if found.answer is not None:
            new = found.answer.tree()["token"] != latest.tree()["token"]
            latest = found.answer
            if new:
                yield latest
        time.sleep(max(0.0, asked + found.pause - time.monotonic()))


def _poll(environ: Mapping[str, str], target: str, etag: str | None) -> _Round:
    headers = {"Accept": "application/json", "Prefer": f"wait={fetch.LONGEST_WAIT}"}
    if etag is not None:
        headers["If-None-Match"] = etag
    try:
        answer = ask.get(address.find(environ), target, headers, fetch.LONGEST_WAIT + _GRACE)
        if answer.status == 304:
            return _Round()
        if answer.status == 200:
            return _Round(fetch.checked(answer))
        if answer.status >= 500:
            pause = fetch.pause_after(answer) or _PACE
            return _Round(reason=str(fetch.failure(answer)), pause=min(max(pause, _PACE), _LONGEST_PAUSE))
        raise fetch.failure(answer)
    except BadAddress:
        raise
    except Unreachable as error:
        return _Round(reason=str(error))
