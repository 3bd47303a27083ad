"""What faults do to an answer; pure."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from email.utils import format_datetime
from typing import Final

from broker.fakeiam.answer import Answer, html_error, keystone_error, title
from broker.fakeiam.bodies import token_time
from broker.fakeiam.faults import Effect, Redirect, Status, Twist
from broker.fakeiam.storage import instant

# A little more than the 4 MiB that a careful client reads at most.
OVERSIZE: Final = 4 * 1024 * 1024 + 4096
_END: Final = re.compile(r"(<Expiration>)([^<]*)(</Expiration>)")
_DATE_FROM_NOW: Final = re.compile(r"date([+-]\d{1,9})", re.ASCII)


def replacement(effect: Status | Redirect, now: datetime, path: str) -> Answer:
    """The answer that is sent instead of IAM's; `now` is the time on IAM's clock as it shows it."""
    if isinstance(effect, Redirect):
        return Answer(effect.status, text="", headers={"Location": effect.to or path})
    headers = {} if effect.retry_after is None else {"Retry-After": _retry_after(effect.retry_after, now)}
    if effect.body == "html":
        return html_error(effect.code, headers)
    if effect.body == "empty":
        return Answer(effect.code, text="", headers=headers)
    return keystone_error(effect.code, f"{title(effect.code)} (a fault of the emulator).", headers)


def bent(answer: Answer, effect: Effect) -> Answer:
    """The answer after one twist; a status below 300 keeps the body."""
    match effect:
        case Status(code):
            return replace(answer, status=code)
        case Twist.HALF:
            return replace(answer, cut=True)
        case Twist.WRONG_JSON:
            return replace(answer, tree=None, text=answer.payload().decode()[:-1])
        case Twist.NOT_OBJECT:
            return replace(answer, tree=None, text=json.dumps([answer.tree]))
        case Twist.NO_TOKEN:
            kept = {
                name: value for name, value in answer.headers.items() if name.lower() != "x-subject-token"
            }
            return replace(answer, headers=kept)
        case Twist.OVERSIZED:
            return replace(answer, tree={**(answer.tree or {}), "padding": "x" * OVERSIZE}, chunked=True)
        case _:
            return _with_expiry(answer, effect)


def shifted(answer: Answer, seconds: float) -> Answer:
    """The answer with its token's times moved."""
    token = (answer.tree or {}).get("token")
    if seconds and answer.text is not None:
        return _with_end(
            answer, lambda text: instant(datetime.fromisoformat(text) + timedelta(seconds=seconds))
        )
    if not seconds or token is None:
        return answer
    moved = {name: _moved(token[name], seconds) for name in ("issued_at", "expires_at") if name in token}
    return replace(answer, tree={"token": {**token, **moved}})


def _with_end(answer: Answer, change: Callable[[str], str]) -> Answer:
    """The same with the end of its S3 credentials, if it has any, replaced by what `change` makes of it."""
    return replace(answer, text=_END.sub(lambda end: f"{end[1]}{change(end[2])}{end[3]}", answer.text or ""))


def _with_expiry(answer: Answer, effect: Effect) -> Answer:
    if answer.text is not None:
        match effect:
            case Twist.NO_EXPIRY:
                return replace(answer, text=_END.sub("", answer.text))
            case Twist.BAD_EXPIRY:
                return _with_end(answer, lambda _: "tomorrow")
            case Twist.EXPIRY_BEFORE_ISSUE:
                return _with_end(answer, lambda _: "2001-01-01T00:00:00Z")
        return answer
    token = dict((answer.tree or {}).get("token", {}))
    if not token:
        return answer
    match effect:
        case Twist.NO_EXPIRY:
            token.pop("expires_at", None)
        case Twist.BAD_EXPIRY:
            token["expires_at"] = "tomorrow"
        case Twist.EXPIRY_BEFORE_ISSUE:
            token["expires_at"] = _moved(token["issued_at"], -3600)
    return replace(answer, tree={**(answer.tree or {}), "token": token})


def _moved(text: str, seconds: float) -> str:
    when = datetime.fromisoformat(text) + timedelta(seconds=seconds)
    return token_time(when.replace(microsecond=0))


def _retry_after(text: str, now: datetime) -> str:
    match = _DATE_FROM_NOW.fullmatch(text)
    return format_datetime(now + timedelta(seconds=int(match[1])), usegmt=True) if match else text
