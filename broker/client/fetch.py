"""Getting a token within a time, and a status, with the broker's refusals as our failures."""

import math
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from broker.client import address, ask
from broker.client.ask import Answer
from broker.client.failures import ClientError, Denied, Unreachable

# The longest that the broker lets one request wait.
_LONGEST_WAIT = 30
# What the answer may take beyond the wait that was asked for.
_GRACE = 5.0
_STATUS_TIMEOUT = 5.0
# However soon a server says, it is not asked without a pause.
_SHORTEST_PAUSE = 0.1
_STRANGE = "the broker's answer is not understood; are client and broker of one version?"
# What every row of a status has.
_ROW = {"identity", "state", "stale", "expires_in", "project", "roles", "key", "last_fault", "next_try"}


def token(environ: Mapping[str, str], identity: str | None, timeout: float) -> Answer:
    """The answer with a good token, waited for up to `timeout` seconds. Raises ClientError."""
    path, named = address.find(environ)
    target = "/v1/token" if identity is None else _path_of(identity)
    until = time.monotonic() + timeout
    while True:
        left = max(0.0, until - time.monotonic())
        # Whole seconds, upwards: an instant of the first one is always gone already.
        wait = min(math.ceil(left), _LONGEST_WAIT)
        headers = {"Accept": "application/json", "Prefer": f"wait={wait}"}
        answer = ask.get(path, target, headers, min(left, _LONGEST_WAIT) + _GRACE, named=named)
        if answer.status == 200:
            if not isinstance(answer.tree().get("token"), str):
                raise Unreachable(_STRANGE)
            return answer
        pause = _pause(answer)
        if pause is None or time.monotonic() + pause >= until:
            raise _failure(answer)
        time.sleep(pause)


def status(environ: Mapping[str, str]) -> list[dict[str, Any]]:
    """The identities that the caller may see, with their state. Raises ClientError."""
    path, named = address.find(environ)
    answer = ask.get(path, "/v1/identities", {}, _STATUS_TIMEOUT, named=named)
    if answer.status != 200:
        raise _failure(answer)
    rows = answer.tree().get("identities")
    if not isinstance(rows, list) or not all(isinstance(row, dict) and row.keys() >= _ROW for row in rows):
        raise Unreachable(_STRANGE)
    return rows


def _path_of(identity: str) -> str:
    # What is no text in this locale is still a name to ask for; the broker refuses it like any other unknown one.
    return f"/v1/identities/{quote(identity, safe='', errors='surrogateescape')}/token"


def _pause(answer: Answer) -> float | None:
    """Seconds after which asking again makes sense, where it does at all."""
    if answer.status != 503:
        return None
    told = answer.tree().get("retry_after")
    if not isinstance(told, int | float) or not math.isfinite(told):
        return None
    return max(_SHORTEST_PAUSE, float(told))


def _failure(answer: Answer) -> ClientError:
    problem = answer.tree()
    code, detail = problem.get("code", "unknown"), problem.get("detail", "no reason given")
    retry = problem.get("retry_after")
    if answer.status == 403:
        return Denied(f"{code}: {detail}")
    if answer.status == 503:
        again = f"; the broker tries again in {retry} s" if retry else ""
        return Unreachable(f"no token: {code}: {detail}{again}")
    return ClientError(f"{code}: {detail}")
