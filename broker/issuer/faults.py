"""Trouble with IAM, translated into the broker's words (invariant L7); pure.

- 401, and a 404 in Keystone's own shape, mean dead; a 404 of anyone else means a wrong address. 403 does not mean dead.
- Details name the status, never a text that came over the wire: one of Keystone's 404 messages holds the token itself.
  What comes instead of an answer is told by `outward.breakdown`.
"""

from enum import StrEnum

from broker.core.errors import Fault, IamError
from broker.issuer.endpoint import IAM
from broker.issuer.wire import is_keystone_error
from broker.outward.breakdown import proxy_login
from broker.outward.headers import Headers, retry_after


class Operation(StrEnum):
    """What IAM is asked."""

    ISSUE = "issue"
    VALIDATE = "validate"
    PROJECTS = "projects"
    KEY = "key"
    RELAY = "relay"


def refusal(operation: Operation, status: int, headers: Headers, body: bytes) -> IamError:
    """What an answer means that is not the one asked for; `body` matters for 404 alone."""
    if status == 401 or (status == 404 and is_keystone_error(body, 404)):
        return IamError(Fault.REJECTED, _rejected(operation, status))
    if status == 429:
        return IamError(
            Fault.THROTTLED,
            "IAM asks for fewer requests (429); wait, it is asked again",
            retry_after(headers),
        )
    if status >= 500:
        return IamError(
            Fault.UNAVAILABLE, f"IAM is in trouble ({status}); wait, it is asked again", retry_after(headers)
        )
    if status == 407:
        return IamError(Fault.UNAVAILABLE, proxy_login(IAM))
    return IamError(Fault.PROTOCOL, _misunderstood(status), forbidden=status == 403)


def _rejected(operation: Operation, status: int) -> str:
    if operation is Operation.ISSUE:
        return (
            f"IAM rejects the access key ({status}): it is deleted, expired or wrong, or its user or project is gone; "
            "create a new access key and replace it"
        )
    return (
        f"IAM rejects the token ({status}): it has ended or was revoked, or its key has access rules that leave this "
        "request out; a new token is needed, or a key without access rules"
    )


def _misunderstood(status: int) -> str:
    if 300 <= status < 400:
        return f"IAM redirects ({status}); set iam.url to the final address"
    if status == 404:
        return "the server does not know this path (404, and not in Keystone's words); check iam.url"
    if status == 403:
        return "IAM forbids this request (403); may this user, from this network, ask IAM?"
    return f"IAM answers {status}, which is not understood; check that iam.url is KakaoCloud's Keystone"
