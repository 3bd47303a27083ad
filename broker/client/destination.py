"""Where a token may go: to the one service that a request is for, and not in the clear."""

from broker.client.address import is_loopback
from broker.client.failures import ClientError

HEADER = "X-Auth-Token"


class Insecure(ClientError):
    """A token would have crossed a network for all to read."""


def judge(scheme: str, host: str, *, insecure: bool) -> None:
    """Raise Insecure unless a token may be sent there: by https, to this host, or where the user insists."""
    if insecure or scheme == "https" or (scheme == "http" and is_loopback(host.strip("[]").lower())):
        return
    raise Insecure(
        "a token is not sent in the clear to another host; use https, or say insecure=True if nobody can listen there"
    )
