"""`broker reject`: report a token that a service refuses; it comes on stdin, since an argument list is for all to read.

Only the token's SHA-256 leaves this process.
"""

from __future__ import annotations

import os
import sys

from broker.cli.ends import WrongUsage, put
from broker.client import fetch
from broker.client.failures import Unreachable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# No token is longer; what goes on is some other file.
_LONGEST = 64 * 1024

_MEANING = {
    "replaced": "replaced: there is a new token; `broker token` prints it",
    "still_valid": "still_valid: IAM says that the token lives; does its user have the role? If it is still refused, report it again",
    "superseded": "superseded: the broker holds another token already; `broker token` prints it",
}


def reject(identity: str | None = None) -> None:
    """Report that the token on stdin is refused, and print what came of it. Raises ClientError, WrongUsage."""
    told = fetch.reject(os.environ, identity, _digest())
    put(_sentence(told))
    if told["outcome"] not in _MEANING:
        sys.exit(1)


def _digest() -> str:
    """The SHA-256 of the token on stdin, without one trailing newline."""
    if sys.stdin is None:
        raise _wrong("stdin is closed; pipe the token that is refused into this command")
    if sys.stdin.isatty():
        raise _wrong('the token is read from stdin, not typed; pipe it: printf %s "$TOKEN" | broker reject')
    token = sys.stdin.buffer.read(_LONGEST + 2).removesuffix(b"\n").removesuffix(b"\r")
    if not token:
        raise _wrong("stdin is empty; pipe the token that is refused into this command")
    if len(token) > _LONGEST or not all(0x20 < byte < 0x7F for byte in token):
        raise _wrong("what stdin holds is no token; pipe the bare token, without its header or JSON")
    import hashlib  # noqa: PLC0415  (with a library of its own to load; who called wrongly waits for none)

    return hashlib.sha256(token).hexdigest()


def _wrong(sentence: str) -> WrongUsage:
    return WrongUsage("reject", sentence)


def _sentence(told: dict[str, Any]) -> str:
    outcome = told["outcome"]
    if outcome in _MEANING:
        return _MEANING[outcome]
    if outcome != "deferred":
        raise Unreachable("the broker's answer is not understood; are client and broker of one version?")
    seconds = told.get("retry_after")
    again = f"report it again in {seconds} s" if isinstance(seconds, int) else "report it again later"
    return f"deferred: nothing could be found out yet; {again}, and see `broker status`"
