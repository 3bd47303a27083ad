"""What an answer of object storage means that is not the one asked for (invariant L7); pure.

- A refusal says nothing of the access key: its reason may be the token, the user's roles or what was asked for. So it is
  `rejected`, whose reaction here is to have the token validated, and never to give up a key.
- Which code KakaoCloud's object storage gives for what is not known; so the sentences name what it may be.
- Details name the status, never a text that came over the wire.
"""

from broker.core.errors import Fault, IamError
from broker.outward.breakdown import proxy_login
from broker.outward.headers import Headers, retry_after
from broker.outward.peer import Peer


def refusal(peer: Peer, status: int, headers: Headers) -> IamError:
    """What this status means."""
    if status in {400, 401, 403}:
        return IamError(Fault.REJECTED, _rejected(status))
    if status == 429:
        return IamError(
            Fault.THROTTLED,
            "object storage asks for fewer requests (429); wait, it is asked again",
            retry_after(headers),
        )
    if status >= 500:
        return IamError(
            Fault.UNAVAILABLE,
            f"object storage is in trouble ({status}); wait, it is asked again",
            retry_after(headers),
        )
    if status == 407:
        return IamError(Fault.UNAVAILABLE, proxy_login(peer))
    return IamError(Fault.PROTOCOL, _misunderstood(peer, status))


def _rejected(status: int) -> str:
    if status == 400:
        return (
            "object storage refuses the exchange (400): the token has ended, or it gives no credentials for so long; "
            "ask for another duration, or set s3.duration"
        )
    return (
        f"object storage refuses the token ({status}): its user may lack a role for object storage in the project, "
        "or it was revoked; see the user's roles, and whether the region is right"
    )


def _misunderstood(peer: Peer, status: int) -> str:
    if 300 <= status < 400:
        return f"object storage redirects ({status}); set s3.url to the final address"
    if status == 404:
        return f"the server does not know this path (404); check {peer.url}"
    return f"object storage answers {status}, which is not understood; check that {peer.url} is {peer.kind}"
