"""Faults as people write them: `429:retry-after=3,times=2,on=issue`, `latency=0.5`, `reset`.

A name, its value after `=` where it has one, then options after `:`, separated by commas.
"""

import re
from collections.abc import Callable
from typing import Final, Literal, cast

from broker.fakeiam.durations import parse_duration
from broker.fakeiam.faults import Drop, Effect, Fault, Latency, Operation, Redirect, Skew, Status, Twist

Options = dict[str, str]
_TARGETS: Final = {
    "issue": Operation.ISSUE,
    "validate": Operation.VALIDATE,
    "projects": Operation.PROJECTS,
    "key": Operation.KEY,
    "s3": Operation.S3,
    "any": None,
}
_COMMON: Final = ("times", "on", "key")
_PLAIN: Final[dict[str, Effect]] = {effect.value: effect for effect in (*Drop, *Twist)}
KNOWN: Final = "latency=SECONDS, a status such as 429 or 503, redirect, skew=SECONDS, " + ", ".join(_PLAIN)


class FaultTextError(ValueError):
    """A fault that nobody understands; the text is one sentence that names what is known."""


def parse_fault(text: str) -> Fault:
    """The fault that a text describes; FaultTextError otherwise."""
    if not text.strip().isprintable():
        raise FaultTextError("a fault is one line of plain text")
    head, _, tail = text.strip().partition(":")
    name, _, value = head.partition("=")
    options = _options(text, tail)
    common: Options = {option: options.pop(option) for option in _COMMON if option in options}
    effect = _effect(text, name, value, options)
    if options:
        raise FaultTextError(
            f"fault {text!r}: {name} has no option {min(options)!r}; see the fault syntax in the help"
        )
    return Fault(
        effect, times=_times(text, common.get("times")), on=_target(text, common), key=common.get("key")
    )


def fault_text(fault: Fault) -> str:
    """The text that parses to this fault."""
    head, options = _described(fault.effect)
    options |= {} if fault.times is None else {"times": str(fault.times)}
    options |= {} if fault.on is None else {"on": fault.on.value}
    options |= {} if fault.key is None else {"key": fault.key}
    return head + (":" if options else "") + ",".join(f"{name}={value}" for name, value in options.items())


def _options(text: str, tail: str) -> Options:
    options: Options = {}
    for part in filter(None, tail.split(",")):
        name, equals, value = part.partition("=")
        if not equals or not value or name in options:
            raise FaultTextError(
                f"fault {text!r}: {part!r} is no new option; write options as name=value, with commas"
            )
        options[name] = value
    return options


def _effect(text: str, name: str, value: str, options: Options) -> Effect:
    builders: dict[str, Callable[[], Effect]] = {
        "latency": lambda: Latency(_seconds(text, value, signed=False)),
        "skew": lambda: Skew(
            _seconds(text, value, signed=True),
            cast(
                "Literal['both', 'date', 'times']", _choice(text, options, "only", ("both", "date", "times"))
            ),
        ),
        "redirect": lambda: Redirect(options.pop("to", None), _status(text, options.pop("status", "302"))),
    }
    if name in builders:
        if value and name == "redirect":
            raise FaultTextError(f"fault {text!r}: write the target of a redirect as redirect:to=URL")
        return builders[name]()
    if not value and name in _PLAIN:
        return _PLAIN[name]
    if not value and name.isascii() and name.isdigit():
        body = cast(
            "Literal['json', 'html', 'empty']", _choice(text, options, "body", ("json", "html", "empty"))
        )
        return Status(_status(text, name), body, options.pop("retry-after", None))
    raise FaultTextError(f"fault {text!r} is not known; known are {KNOWN}")


def _described(effect: Effect) -> tuple[str, Options]:
    match effect:
        case Latency(seconds):
            return f"latency={seconds:f}", {}
        case Skew(seconds, only):
            return f"skew={seconds:f}", {"only": only}
        case Status(code, body, retry_after):
            return str(code), {"body": body} | ({} if retry_after is None else {"retry-after": retry_after})
        case Redirect(to, status):
            return "redirect", {"status": str(status)} | ({} if to is None else {"to": to})
        case _:
            return effect.value, {}


def _seconds(text: str, value: str, *, signed: bool) -> float:
    match = re.fullmatch(r"([+-]?)(.*)", value, re.DOTALL)
    sign, size = (match[1], match[2]) if match else ("", value)
    try:
        seconds = parse_duration(size)
    except ValueError as error:
        raise FaultTextError(f"fault {text!r}: {error}") from None
    if sign and not signed:
        raise FaultTextError(f"fault {text!r}: this duration cannot have a sign")
    return -seconds if sign == "-" else seconds


def _choice(text: str, options: Options, name: str, choices: tuple[str, ...]) -> str:
    """The chosen one, by default the first."""
    chosen = options.pop(name, choices[0])
    if chosen not in choices:
        raise FaultTextError(f"fault {text!r}: {name} is one of {', '.join(choices)}")
    return chosen


def _status(text: str, value: str) -> int:
    if not re.fullmatch(r"[2-5]\d\d", value, re.ASCII):
        raise FaultTextError(f"fault {text!r}: an HTTP status is a number from 200 to 599")
    return int(value)


def _times(text: str, value: str | None) -> int | None:
    if value is None:
        return None
    if not re.fullmatch(r"[1-9]\d{0,8}", value, re.ASCII):
        raise FaultTextError(f"fault {text!r}: times is a whole number of requests, at least 1")
    return int(value)


def _target(text: str, common: Options) -> Operation | None:
    return _TARGETS[_choice(text, {"on": common.get("on", "any")}, "on", tuple(_TARGETS))]
