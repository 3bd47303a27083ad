"""Tokens, replies and keys for tests; every value is made up."""

from broker.core import keys, lease
from broker.core.errors import Fault
from broker.core.lease import Lease
from broker.core.model import Held, KeyById, Named, Reply, Token
from broker.core.secret import Secret
from broker.core.timing import span
from broker.core.trouble import Failure


def token(name: str = "token-1", roles: tuple[str, ...] = ("r1",), project: str = "p1") -> Token:
    value = Secret(name)
    return Token(
        value=value,
        digest=value.sha256(),
        issued_at="2026-01-01T00:00:00.000000Z",
        expires_at="2026-01-01T12:00:00.000000Z",
        user=Named("u1", "robot"),
        project=Named(project, "shop"),
        roles=tuple(Named(role, {"r1": "member"}.get(role, f"name of {role}")) for role in roles),
        key_expires_at=None,
        body=b'{"token": {"catalog": [{"type": "identity", "endpoints": []}]}}',
    )


def held(name: str = "token-1", *, sent_at: float = 0.0, life: float = 43200.0, draw: float = 0.5) -> Held:
    return Held(token(name), span(sent_at, life, draw))


def reply(name: str = "token-1", *, sent_at: float = 0.0, life: float = 43200.0) -> Reply:
    return Reply(token(name), life, sent_at, None)


def key(name: str = "key-1") -> KeyById:
    return KeyById(name, Secret("secret-of-" + name))


def fresh(*refs: str, now: float = 0.0) -> Lease:
    """A lease that holds nothing yet, with keys of these refs; their generations are 1 and 2."""
    return lease.new("default", now, keys.settled(refs or ("key-1",)))


def failure(
    at: float, fault: Fault = Fault.UNAVAILABLE, *, retry_after: float | None = None, draw: float = 0.5
) -> Failure:
    return Failure(at, fault, f"it is {fault}", retry_after, draw)
