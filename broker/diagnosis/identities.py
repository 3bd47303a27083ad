"""Identities and their keys as the broker shows them to this user, and the time to a token; no token stays here."""

import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from broker.client import fetch
from broker.client.failures import ClientError, Denied, Unreachable
from broker.core.durations import rough
from broker.diagnosis.finding import Finding, failure, ok, problem, warning

_AS_WHOM = "run this as the broker's own user or as root, or get a grant (broker explain)"
_GRANT = "if it should, grant it: broker explain says how"
_TIMEOUT = 4.0  # seconds for a token that is on its way
_SLOW = 1.0
# Worth a word; the others of keys are usual with KakaoCloud.
_RISKS = {
    "unrestricted": ("it may make further keys", "make one without `unrestricted`"),
    "admin_role": ("it has an administrator's role", "make one with the roles that are needed"),
}


def identities(environ: Mapping[str, str]) -> Iterator[Finding]:
    """What is not in order with those that this user may see, each in the broker's own sentence."""
    try:
        rows = fetch.status(environ)
    except Denied as error:
        yield warning("identities", f"were not seen: {error}", _AS_WHOM)
        return
    except Unreachable:  # another look tells
        return
    except ClientError as error:
        yield failure("identities", error)
        return
    if not rows:
        yield warning("identities", "this user may see none", _AS_WHOM)
    for row in rows:
        yield from _identity(row)
    yield from _token(environ, rows)


def _identity(row: Mapping[str, Any]) -> Iterator[Finding]:
    about = f"identity {row['identity']}"
    left = row["expires_in"]
    if left is not None:
        yield ok(about, f"{row['state']}, its token lives {rough(left)} more")
    dead = left is None
    for reason in row.get("reasons", ()):
        says = f"{reason['code']}: {reason['detail']}"
        yield problem(about, says) if dead else warning(about, says)
    for key in row.get("keys", ()):
        yield from _key(f"key {row['identity']}/{key['place']}", key)


def _key(about: str, key: Mapping[str, Any]) -> Iterator[Finding]:
    if key["expires_at"] is None:
        yield ok(about, f"{key['standing']}; its end is not known, or it has none")
    else:
        end = datetime.fromisoformat(key["expires_at"])
        left = (end - datetime.now(UTC)).total_seconds()
        if left <= 0:
            yield problem(about, "has ended", "put a new access key into its source; no restart is needed")
        else:
            yield ok(about, f"{key['standing']}; ends in {rough(left)}")
    for risk in key["risks"]:
        if risk in _RISKS:
            yield warning(about, f"is risky in wrong hands: {_RISKS[risk][0]}", _RISKS[risk][1])


def _token(environ: Mapping[str, str], rows: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
    """One token, as this user, of the usual identity or the first that is seen."""
    names = [row["identity"] for row in rows]
    name = "default" if "default" in names or not names else names[0]
    about, began = f"token of {name}", time.monotonic()
    try:
        fetch.bare_token(environ, name, _TIMEOUT)  # dropped at once
    except Denied:
        yield warning(
            about, "this user may see it, and not read it" if names else "this user may read none", _GRANT
        )
    except ClientError as error:
        yield failure(about, error)
    else:
        took = time.monotonic() - began
        told = f"handed to this user in {took * 1000:.0f} ms"
        yield (
            ok(about, told)
            if took < _SLOW
            else warning(about, told, "see the host's load, and how long IAM takes")
        )
