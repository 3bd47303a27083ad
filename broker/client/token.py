"""A token as a program has it, and what came of a report: read from the broker's answers, strictly."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from broker.client.fetch import is_word, strange
from broker.client.reply import Answer
from broker.core.reports import Outcome
from broker.core.secret import Secret


@dataclass(frozen=True, slots=True)
class Named:
    """A user or a project."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Token:
    """What the broker holds for an identity. Shown, logged or pickled, it does not tell its value."""

    identity: str
    value: Secret  # its `reveal` gives the text
    issued_at: datetime  # aware, as all times here
    expires_at: datetime
    expires_in: int  # seconds that were left when the broker answered
    stale: bool  # good, but a refresh that was due has failed
    project: Named
    user: Named
    roles: tuple[str, ...]
    key_expires_at: datetime | None  # the end of the access key behind it, where there is one


@dataclass(frozen=True, slots=True)
class Rejection:
    """What came of a report, and the token that is served now: another one, or the same where it is still valid."""

    outcome: Outcome
    token: Token | None
    retry_after: float | None  # seconds after which to report again, for `deferred`


def read_token(answer: Answer) -> Token:
    """The token of an answer. Raises Unreachable when it is not understood."""
    return _token(answer.tree())


def read_rejection(tree: dict[str, Any]) -> Rejection:
    """The outcome of a report. Raises Unreachable when it is not understood."""
    try:
        told = tree.get("token")
        retry = tree.get("retry_after")
        return Rejection(
            Outcome(tree["outcome"]),
            None if told is None else _token(told),
            None if retry is None else float(retry),
        )
    except (ValueError, TypeError, KeyError):
        raise strange() from None


def _token(tree: dict[str, Any]) -> Token:
    if not isinstance(text := tree.get("token"), str) or not is_word(text):
        raise strange()
    try:
        key_end = tree["key_expires_at"]
        return Token(
            identity=str(tree["identity"]),
            value=Secret(text),
            issued_at=_time(tree["issued_at"]),
            expires_at=_time(tree["expires_at"]),
            expires_in=int(tree["expires_in"]),
            stale=tree["stale"] is True,
            project=_named(tree["project"]),
            user=_named(tree["user"]),
            roles=tuple(map(str, tree["roles"])),
            key_expires_at=None if key_end is None else _time(key_end),
        )
    except (ValueError, TypeError, KeyError, OverflowError):
        raise strange() from None


def _time(text: str) -> datetime:
    """A time as IAM wrote it; Keystone writes a key's end without an offset, and means UTC."""
    when = datetime.fromisoformat(text)
    return when if when.tzinfo else when.replace(tzinfo=UTC)


def _named(thing: dict[str, Any]) -> Named:
    return Named(str(thing["id"]), str(thing["name"]))
