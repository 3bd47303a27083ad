"""Where the Keystone facade is for this caller, as the broker tells it.

Rule: what is told must be a port of this host: a program that is sent there shows its secret.
"""

from __future__ import annotations

from broker.client import address, ask, s3
from broker.client.failures import BadAddress
from broker.client.fetch import failure, part_of_path, path_of, strange

TYPE_CHECKING = False
if TYPE_CHECKING:
    from broker.client.address import Address
    from broker.client.reply import Answer

_TIMEOUT = 5.0  # seconds; nothing is waited for there
_PATH = "/identity/v3"


class Facade:
    """The facade for an identity; `client_secret` says whether a client must present the identity's own."""

    __slots__ = ("client_secret", "identity", "server")

    def __init__(self, identity: str, server: str, *, client_secret: bool) -> None:
        self.identity = identity
        self.server = server
        self.client_secret = client_secret

    @property
    def url(self) -> str:
        """Keystone's address, for `OS_AUTH_URL`."""
        return self.server + _PATH

    @property
    def s3_credentials(self) -> str:
        """Where AWS clients get credentials for object storage."""
        return self.server + s3.target(self.identity)


def find(place: Address, identity: str | None) -> Facade:
    """The facade for this identity, or for the usual one. Raises ClientError."""
    target = "/v1/facade" if identity is None else f"{path_of(identity)}/facade"
    answer = ask.get(place, target, {"Accept": "application/json"}, _TIMEOUT)
    if answer.status != 200:
        raise failure(answer)
    return _read(answer)


def _read(answer: Answer) -> Facade:
    tree = answer.tree()
    name, urls, wanted = tree.get("identity"), tree.get("urls"), tree.get("client_secret")
    if not isinstance(name, str) or not isinstance(urls, list) or not isinstance(wanted, bool) or not urls:
        raise strange()
    return Facade(part_of_path(name), _server(urls[0]), client_secret=wanted)


def _server(url: object) -> str:
    """Scheme, host and port, if it is the facade of a broker of this host. Raises Unreachable."""
    if not isinstance(url, str) or not url.endswith(_PATH):
        raise strange()
    try:
        place = address.find({address.VARIABLE: url.removesuffix(_PATH)})
    except BadAddress:
        raise strange() from None
    if isinstance(place, address.UnixAddress):
        raise strange()
    return str(place)
