"""Tokens, replies and keys for tests; every value is made up."""

from broker.core.model import Held, KeyById, Named, Reply, Token
from broker.core.secret import Secret
from broker.core.timing import span


def token(name: str = "token-1") -> Token:
    value = Secret(name)
    return Token(
        value=value,
        digest=value.sha256(),
        issued_at="2026-01-01T00:00:00.000000Z",
        expires_at="2026-01-01T12:00:00.000000Z",
        user=Named("u1", "robot"),
        project=Named("p1", "shop"),
        roles=(Named("r1", "member"),),
        key_expires_at=None,
        body=b'{"token": {"catalog": [{"type": "identity", "endpoints": []}]}}',
    )


def held(name: str = "token-1", *, sent_at: float = 0.0, life: float = 43200.0, draw: float = 0.5) -> Held:
    return Held(token(name), span(sent_at, life, draw))


def reply(name: str = "token-1", *, sent_at: float = 0.0, life: float = 43200.0) -> Reply:
    return Reply(token(name), life, sent_at, None)


def key(name: str = "key-1") -> KeyById:
    return KeyById(name, Secret("secret-of-" + name))
