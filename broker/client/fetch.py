"""A token within a time, a status, the projects, what came of a report: with the broker's refusals as our failures.

Each is told as `Steps`, questions that are put one after another by whoever runs them: `run`, which sleeps, or a task.

Rules: a wait ends when its time does, with the last reason; a refusal that waiting cannot mend is told at once.
"""

from __future__ import annotations

import time

from broker.client import address, ask
from broker.client.ask import Question
from broker.client.failures import NOTHING_TO_SEE, Away, ClientError, Denied, Unreachable
from broker.client.reply import no_broker

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from broker.client.address import Address
    from broker.client.ask import Steps, T
    from broker.client.reply import Answer

# The longest that the broker lets one request wait.
LONGEST_WAIT = 30
# What an answer may take beyond the wait that was asked for: the broker's reason is worth that moment.
MOMENT = 1.0
_STATUS_TIMEOUT = 5.0
# The broker may have to ask IAM for these.
_PROJECTS_TIMEOUT = 15.0
# IAM is asked for a verdict, and then perhaps for a token.
REJECTION_WAIT = 5.0
# However soon a server says, it is not asked without a pause.
_SHORTEST_PAUSE = 0.1
# Seconds; no broker says so long, and a clock cannot be added to all that JSON calls a number.
_AGES = 1e9
_LETTERS, _LONGEST_NAME = "abcdefghijklmnopqrstuvwxyz0123456789-", 63
# What every row of a status has.
_ROW = {
    "identity", "state", "degraded", "stale", "expires_in", "project", "roles", "key", "last_fault", "next_try",
}  # fmt: skip


def run(find: Callable[[], Address], steps: Steps[T]) -> T:
    """What the steps come to, each put to the broker that is found then. Raises ClientError."""
    try:
        question = next(steps)
        while True:
            if question.after:
                time.sleep(question.after)
            try:
                place = find()
                written = ask.request(place, question.target, question.headers, question.body)
                answer = ask.asked(place, written, question.timeout)
            except Unreachable as error:
                question = steps.throw(error)
            else:
                question = steps.send(answer)
    except StopIteration as end:
        result: T = end.value
        return result


def token(
    environ: Mapping[str, str], identity: str | None, timeout: float, min_ttl: float | None = None
) -> Answer:
    """The answer with a token that lives `min_ttl` seconds, waited for up to `timeout` of them. Raises ClientError."""
    return checked(_put(environ, awaited(token_target(identity, min_ttl), timeout)))


def bare_token(
    environ: Mapping[str, str], identity: str | None, timeout: float, min_ttl: float | None = None
) -> str:
    """The same, the token alone: no JSON is sent, nor read."""
    answer = _put(environ, awaited(token_target(identity, min_ttl), timeout, accept="text/plain"))
    # Any server might say a word to whoever asks; a weak tag beside it is what a broker's token has.
    if answer.kind != "text/plain" or not (answer.etag or "").startswith('W/"'):
        raise no_broker()
    text = answer.body.decode("latin-1")
    if not is_word(text):
        raise strange()
    return text


def awaited(
    target: str,
    timeout: float,
    *,
    accept: str = "application/json",
    patient: bool = False,
    what: str = "token",
) -> Steps[Answer]:
    """The answer with `what`, asked for again for as long as that makes sense; if `patient`, of a broker that is away too."""
    until, after = time.monotonic() + timeout, 0.0
    while True:
        left = max(0.0, until - time.monotonic() - after)
        # Whole seconds, upwards: an instant of the first one is always gone already.
        headers = {"Accept": accept, "Prefer": f"wait={_upwards(min(left, LONGEST_WAIT))}"}
        try:
            answer = yield Question(target, headers, min(left, LONGEST_WAIT) + MOMENT, after=after)
        except Away:
            after = _SHORTEST_PAUSE
            if not patient or time.monotonic() + after >= until:
                raise
            continue
        if answer.status == 200:
            return answer
        pause = pause_after(answer)
        if pause is None or time.monotonic() + pause >= until:
            raise failure(answer, what)
        after = pause


def status(environ: Mapping[str, str]) -> list[dict[str, Any]]:
    """The identities that the caller may see, with their state. Raises ClientError."""
    return _put(environ, _identities())


def projects(environ: Mapping[str, str], identity: str | None) -> list[dict[str, Any]]:
    """The projects of an identity's user, as Keystone gave them. Raises ClientError."""
    return _put(environ, _projects(identity))


def reject(environ: Mapping[str, str], identity: str | None, sha256: str) -> dict[str, Any]:
    """Report that the token of this SHA-256 is refused; the outcome as the broker tells it. Raises ClientError."""
    return _put(environ, rejected(identity, sha256, REJECTION_WAIT))


def rejected(identity: str | None, sha256: str, timeout: float) -> Steps[dict[str, Any]]:
    """The same; the verdict is waited for up to `timeout` seconds."""
    name = (yield from usual_identity("whose token it is")) if identity is None else identity
    wait = min(timeout, LONGEST_WAIT)
    headers = {"Accept": "application/json", "Prefer": f"wait={_upwards(wait)}"}
    answer = yield Question(f"{path_of(name)}/rejections", headers, wait + MOMENT, body={"sha256": sha256})
    if answer.status != 200:
        raise failure(answer)
    tree = answer.tree()
    if not isinstance(tree.get("outcome"), str):
        raise strange()
    return tree


def token_target(identity: str | None, min_ttl: float | None) -> str:
    """What to ask for a token."""
    path = "/v1/token" if identity is None else f"{path_of(identity)}/token"
    return path if min_ttl is None else f"{path}?min_ttl={_upwards(min_ttl)}"


def checked(answer: Answer) -> Answer:
    """The answer, if it holds a token that is safe in a header or a line. Raises Unreachable."""
    found = answer.tree().get("token")
    if not isinstance(found, str) or not is_word(found):
        raise strange()
    return answer


def strange() -> Unreachable:
    """That an answer is a broker's, and yet not understood."""
    return Unreachable("the broker's answer is not understood; are client and broker of one version?")


def part_of_path(name: str) -> str:
    """A name as one part of a path. Raises Denied for what is no name; it is not repeated, for it may be a token."""
    if not 0 < len(name) <= _LONGEST_NAME or name.strip(_LETTERS) or name.startswith("-"):
        raise Denied("what is given as an identity is no name of one; names are of a-z, 0-9 and -")
    return name


def pause_after(answer: Answer) -> float | None:
    """Seconds after which asking again makes sense, where it does at all."""
    if answer.status != 503:
        return None
    told = answer.tree().get("retry_after")
    # Also no for what is not a number at all, which JSON can say.
    if not isinstance(told, int | float) or not told < _AGES:
        return None
    return max(_SHORTEST_PAUSE, float(told))


def failure(answer: Answer, what: str = "token") -> ClientError:
    """A refusal as ours, with the broker's reason why there is no such."""
    problem = answer.tree()
    code, detail = problem.get("code", "unknown"), problem.get("detail", "no reason given")
    retry = problem.get("retry_after")
    if answer.status == 403:
        error: ClientError = Denied(f"{code}: {detail}")
    elif answer.status == 503:
        again = f"; the broker tries again in {retry} s" if retry else ""
        error = Unreachable(f"no {what}: {code}: {detail}{again}")
    else:
        error = ClientError(f"{code}: {detail}")
    error.code, error.retry_after = str(code), pause_after(answer)
    return error


def path_of(identity: str) -> str:
    """Where what belongs to an identity is. Raises Denied for what is no name."""
    return f"/v1/identities/{part_of_path(identity)}"


def is_word(text: str) -> bool:
    """Whether it is printable ASCII without a space, as every token is."""
    return bool(text) and text.isascii() and text.isprintable() and " " not in text


def _upwards(number: float) -> int:
    """It, or the next whole number: `math` is a library of its own to load."""
    return -int(-number // 1)


def _put(environ: Mapping[str, str], steps: Steps[T]) -> T:
    return run(lambda: address.find(environ), steps)


def _identities() -> Steps[list[dict[str, Any]]]:
    rows = yield from _listed("/v1/identities", "identities", _STATUS_TIMEOUT)
    if not all(row.keys() >= _ROW for row in rows):
        raise strange()
    return rows


def _projects(identity: str | None) -> Steps[list[dict[str, Any]]]:
    name = (yield from usual_identity("whose projects you want")) if identity is None else identity
    return (yield from _listed(f"{path_of(name)}/projects", "projects", _PROJECTS_TIMEOUT))


def _listed(target: str, field: str, timeout: float) -> Steps[list[dict[str, Any]]]:
    answer = yield Question(target, {"Accept": "application/json"}, timeout)
    if answer.status != 200:
        raise failure(answer)
    rows = answer.tree().get(field)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise strange()
    return rows


def usual_identity(which: str) -> Steps[str]:
    """The identity called default, else the only one."""
    names = [str(row["identity"]) for row in (yield from _identities())]
    if "default" in names:
        return "default"
    if len(names) == 1:
        return names[0]
    if not names:
        raise Denied(NOTHING_TO_SEE)
    raise ClientError(f"you may see {', '.join(names)}; name the one {which}")
