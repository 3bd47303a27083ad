"""`broker token`: print a token; nothing else on stdout, so that `$(broker token)` is the token."""

from __future__ import annotations

import os
import sys

from broker.cli.ends import put
from broker.client import fetch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from broker.client.reply import Answer

FORMS = ("text", "json", "header", "env")
TIMEOUT = 5.0  # seconds


def token(
    identity: str | None = None,
    *,
    form: str = FORMS[0],
    min_ttl: float | None = None,
    timeout: float = TIMEOUT,
    follow: bool = False,
) -> None:
    """Print the token of the identity, or of the usual one; with `follow`, each new one too. Raises ClientError."""
    if follow:
        _follow(identity, form, min_ttl, timeout)
    elif form == "json":
        put(_line(fetch.token(os.environ, identity, timeout, min_ttl), form))
    else:
        put(_shown(fetch.bare_token(os.environ, identity, timeout, min_ttl), form))


def _follow(identity: str | None, form: str, min_ttl: float | None, timeout: float) -> None:
    from broker.cli.endless import until_ended  # noqa: PLC0415  (the usual call starts faster without)
    from broker.client import follow  # noqa: PLC0415

    with until_ended():
        for answer in follow.tokens(os.environ, identity, timeout, min_ttl, _away):
            put(_line(answer, form))


def _away(reason: str) -> None:
    print(f"broker: {reason}; following on once that is over", file=sys.stderr, flush=True)


def _line(answer: Answer, form: str) -> str:
    tree = answer.tree()
    if form == "json":
        import json  # noqa: PLC0415  (for this form alone)

        return json.dumps(tree)
    return _shown(str(tree["token"]), form)


def _shown(value: str, form: str) -> str:
    match form:
        case "header":
            return f"X-Auth-Token: {value}"
        case "env":
            from broker.core.shell import quoted  # noqa: PLC0415  (for this form alone)

            return f"export OS_TOKEN={quoted(value)}"
        case _:
            return value
