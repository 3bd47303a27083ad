"""The plain calls of the commands that must start fast, understood by a table.

Whatever is not plain here (help, `--follow`, a word too many, a value that is none) is left to the command line's library,
which judges and tells; what both understand means the same to both, and runs the same function.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from typing import Any

# The options that a plain call may have, and the arguments that they are.
_OPTIONS = {
    "token": {"--format": "form", "--min-ttl": "min_ttl", "--timeout": "timeout"},
    "wait": {"--timeout": "timeout"},
    "reject": {},
    "s3-credentials": {"--region": "region", "--duration": "duration"},
    "run": {"--config": "config"},
    "exec": {"--identity": "identity", "--client-secret-file": "client_secret_file"},
}
_FLAGS = {"--s3": "s3", "--with-token": "with_token"}


def done(words: Sequence[str]) -> bool:
    """Run the command if the call is a plain one, and say whether it was."""
    command = words[0] if words else ""
    if command == "exec":
        return _executed(words[1:])
    found = _understood(words[1:], _OPTIONS[command]) if command in _OPTIONS else None
    if found is None:
        return False
    names, given = found
    if command == "wait":
        from broker.cli.wait import wait  # noqa: PLC0415  (the one that is asked for, here and below)

        wait(names, **given)
    elif len(names) > (command != "run"):
        return False
    elif command == "run":
        from importlib import import_module  # noqa: PLC0415

        # By its name, as main.py has it: no client's command imports what the daemon takes.
        import_module("broker.cli.run").run(**given)
    elif command == "token":
        from broker.cli.token import token  # noqa: PLC0415

        token(*names, **given)
    elif command == "s3-credentials":
        from broker.cli.s3_credentials import s3_credentials  # noqa: PLC0415

        s3_credentials(*names, **given)
    else:
        from broker.cli.reject import reject  # noqa: PLC0415

        reject(*names)
    return True


def _executed(words: Sequence[str]) -> bool:
    """Become the command behind `--`; False where there is none, or what stands before it is not plain."""
    if "--" not in words[:-1]:
        return False
    end = words.index("--")
    flags: dict[str, Any] = {_FLAGS[word]: True for word in words[:end] if word in _FLAGS}
    found = _understood([word for word in words[:end] if word not in _FLAGS], _OPTIONS["exec"])
    if found is None or found[0]:
        return False
    from broker.cli.execute import execute  # noqa: PLC0415

    execute(words[end + 1 :], **found[1], **flags)
    return True


def _understood(words: Sequence[str], options: dict[str, str]) -> tuple[list[str], dict[str, Any]] | None:
    """The names and the arguments, the last of an option that comes twice; None where it is no plain call."""
    names: list[str] = []
    given: dict[str, Any] = {}
    left = iter(words)
    for word in left:
        if not word.startswith("-"):
            names.append(word)
            continue
        option, same, text = word.partition("=")
        value = _value(options[option], text if same else next(left, "")) if option in options else None
        if value is None:
            return None
        given[options[option]] = value
    return names, given


def _value(argument: str, text: str) -> Path | str | float | None:
    """What the text means there; None when it means nothing."""
    if argument == "config":
        from pathlib import Path  # noqa: PLC0415

        return Path(text) if text else None
    if argument in {"identity", "client_secret_file", "region"}:
        return text or None
    if argument == "form":
        from broker.cli.token import FORMS  # noqa: PLC0415

        return text if text in FORMS else None
    from broker.core.durations import seconds  # noqa: PLC0415

    return seconds(text)
