"""Watching over the token that is held: whether it still lives, asked in the background (invariant L8).

- A method is evidence only after it has succeeded once for this access key. Until then its refusal means that it cannot
  be done with this key: the next method is tried, and after the last one there is no validation for this token.
- A method that refuses one new token after the other has changed, not they: it is no evidence any more.
- A key with access rules cannot validate its tokens at all.
- The first token of a key without evidence is validated soon, so that there is evidence before it is needed. So is one
  that replaces a dead one: Keystone may have killed it with the same stroke.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from broker.core import budget, trouble
from broker.core.budget import Bucket
from broker.core.errors import Fault
from broker.core.timing import Phase
from broker.core.trouble import Failure, Trouble

NEVER = float("inf")
SOON = 1.5  # seconds: more than the second in which Keystone cannot tell a new token from a revoked one
SPARE = 2  # validations that nothing else may use up
MISTRUST = 3  # tokens found dead in a row, none of them ever found alive
EARLIEST = 0.75  # of the interval: who watches many tokens does not ask for all at once


class Method(StrEnum):
    """How to ask whether a token lives; the words of the configuration."""

    AUTH_TOKENS = "auth-tokens"  # by the token itself
    PROJECTS = "projects"  # by the project list of its user


@dataclass(frozen=True, slots=True)
class Watch:
    """What is known of the token that is held, beyond its reply."""

    bucket: Bucket
    every: float = 300.0  # seconds
    methods: tuple[Method, ...] = tuple(Method)  # in order; none: it is switched off
    evidence: frozenset[tuple[str, Method]] = frozenset()  # the key's ref, and what has succeeded for it
    key: str = ""  # ref of the key of the token at hand
    refused: frozenset[Method] = frozenset()  # for the token at hand, without evidence
    exempt: bool = False  # the token's key has access rules
    due_at: float = NEVER
    flying: bool = False
    left_at: float = -NEVER  # when the last validation left
    heard_at: float = -NEVER  # when the last one left that has come back
    deaths: int = 0  # tokens found dead since one was last found alive
    trouble: Trouble | None = None
    doubted: str = ""  # ref of the key that was tried because nothing could be said of its token
    drifted: frozenset[str] | None = None  # the roles for which a new token was asked for last


def new(
    now: float,
    every: float = 300.0,
    methods: tuple[Method, ...] = tuple(Method),
    bucket: Bucket | None = None,
) -> Watch:
    """A watch that has nothing to watch over yet; `bucket` is what is left of its budget."""
    return Watch(bucket or Bucket.full(budget.VALIDATION_BURST, now), every, methods)


def method(watch: Watch) -> Method | None:
    """How the token at hand is validated: what has proven itself comes first."""
    if watch.exempt:
        return None
    left = [method for method in watch.methods if method not in watch.refused]
    return min(left, key=lambda method: not _proven(watch, method), default=None)


def off(watch: Watch) -> bool:
    """Whether validation is wanted and cannot be had for the token at hand."""
    return bool(watch.methods) and method(watch) is None


def pace(watch: Watch) -> float:
    """Seconds per validation once the burst is spent: who wants to know it more often shall."""
    return min(budget.VALIDATION_EVERY, watch.every * EARLIEST)


def next_check(watch: Watch, now: float) -> float:
    """The earliest moment at which the token at hand may be validated; NEVER where it cannot be."""
    if watch.flying or method(watch) is None:
        return NEVER
    told = watch.trouble.next_try if watch.trouble and watch.trouble.fault is Fault.THROTTLED else now
    return max(watch.due_at, told, watch.bucket.ready_at(now, pace(watch)))


def spare_at(watch: Watch, now: float) -> float:
    """The moment from which something else may be asked, with enough left to look at the token."""
    return watch.bucket.ready_at(now, pace(watch), SPARE)


def started(watch: Watch, at: float) -> Watch:
    """A validation leaves."""
    # What comes to hurry it from now on asks for another.
    return replace(spent(watch, at), flying=True, left_at=at, due_at=NEVER)


def spent(watch: Watch, at: float) -> Watch:
    """Something was asked of IAM out of the budget of validations."""
    return replace(watch, bucket=watch.bucket.taken(at, pace(watch)))


def remembered(watch: Watch, keys: Collection[str]) -> Watch:
    """With the evidence for these keys alone."""
    return replace(watch, evidence=frozenset((key, by) for key, by in watch.evidence if key in keys))


def landed(watch: Watch) -> Watch:
    """It came back, whatever it said."""
    return replace(watch, flying=False, heard_at=watch.left_at)


def renewed(watch: Watch, at: float, key: str, draw: float, *, access_rules: bool) -> Watch:
    """There is a new token, of the key of this ref."""
    known = any(ref == key for ref, _ in watch.evidence)
    wait = SOON if watch.deaths or not known else _interval(watch, draw)
    return replace(
        watch,
        key=key,
        exempt=access_rules,
        refused=frozenset(),
        due_at=at + wait,
        trouble=None,
    )


def hurried(watch: Watch, at: float) -> Watch:
    """The token is to be validated at once."""
    return replace(watch, due_at=min(watch.due_at, at))


def alive(watch: Watch, at: float, by: Method, draw: float) -> Watch:
    """The token lives."""
    return replace(
        watch,
        evidence=watch.evidence | {(watch.key, by)},
        due_at=min(watch.due_at, at + _interval(watch, draw)),
        deaths=0,
        trouble=None,
    )


def convicts(watch: Watch, by: Method) -> bool:
    """Whether a refusal by this method means that the token is dead."""
    return _proven(watch, by) and watch.deaths < MISTRUST


def impossible(watch: Watch, at: float, by: Method) -> Watch:
    """This method cannot be used with this key, as far as can be told; the next one is tried at once."""
    evidence = watch.evidence - {(watch.key, by)}
    return replace(watch, evidence=evidence, refused=watch.refused | {by}, due_at=at, trouble=None)


def failed(watch: Watch, failure: Failure) -> Watch:
    """The validation brought a fault that says nothing of the token."""
    # People wait for the answer as they wait for a token: a dead one costs them more than IAM a question.
    now = trouble.after(watch.trouble, failure, Phase.EXPIRED, watch.every)
    return replace(watch, trouble=now, due_at=now.next_try)


def bereft(watch: Watch) -> Watch:
    """The token was found dead; its successor is looked at soon."""
    return replace(watch, deaths=watch.deaths + 1, due_at=NEVER)


def evidence_by_key(watch: Watch) -> Mapping[str, frozenset[str]]:
    """The evidence as it is kept over a restart."""
    keys = {key for key, _ in watch.evidence}
    return {key: frozenset(by.value for of, by in watch.evidence if of == key) for key in keys}


def remembering(watch: Watch, kept: Mapping[str, frozenset[str]]) -> Watch:
    """With the evidence that was kept; methods of another version are left out."""
    known = {method.value for method in Method}
    found = frozenset((key, Method(by)) for key, names in kept.items() for by in names & known)
    return replace(watch, evidence=found)


def _proven(watch: Watch, by: Method) -> bool:
    return (watch.key, by) in watch.evidence


def _interval(watch: Watch, draw: float) -> float:
    return watch.every * (EARLIEST + (1 - EARLIEST) * draw)
