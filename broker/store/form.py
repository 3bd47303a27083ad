"""A memory as bytes and back, with its moments translated; pure.

- What says when it was kept stands beside it, so a restart knows how long ago that was (invariant L13).
- IAM's `Date` is not kept: it tells the skew of the moment when it came, not of a later one.
- The digest of a token is computed anew, never read.
"""

import base64
import binascii
import json
from contextlib import suppress
from dataclasses import asdict, replace

from broker.core.memory import Memory
from broker.core.model import Named, Reply, Token
from broker.core.secret import Secret
from broker.core.timing import FLOOR
from broker.store import reading
from broker.store.moments import Stamp
from broker.store.reading import Table, number, odd, rows, text, text_or_none, truth, truth_or_none
from broker.store.unusable import Unusable

_TEXTS = ("issued_at", "expires_at")
_FIELDS = (
    *("value", *_TEXTS, "user", "project", "roles", "key_expires_at", "body"),
    *("key_id", "restricted", "access_rules"),
)


def written(memory: Memory, now: Stamp) -> bytes:
    """The memory as it is kept at this moment."""
    document = {
        "kept": asdict(now),
        "reply": None if memory.reply is None else _reply_written(memory.reply),
        "key": memory.key,
        "evidence": {ref: sorted(methods) for ref, methods in memory.evidence.items()},
        "rejected": list(memory.rejected),
    }
    return json.dumps(document, separators=(",", ":"), allow_nan=False).encode()


def read(content: bytes, now: Stamp) -> Memory:
    """The memory with its moments on the clock of now; raises Unusable."""
    document = reading.table(reading.parsed(content), "kept", "reply", "key", "evidence", "rejected")
    kept = stamp(document["kept"])
    shift = now.shift(kept)
    if shift is None:
        raise Unusable(
            "the clocks do not tell how long ago it was kept: they read earlier than they did then"
        )
    reply = None if document["reply"] is None else _reply(document["reply"], kept, shift)
    return Memory(
        reply=reply,
        key=text_or_none(document["key"]),
        evidence={
            ref: frozenset(text(method) for method in rows(methods))
            for ref, methods in reading.mapping(document["evidence"]).items()
        },
        rejected=tuple(text(digest) for digest in rows(document["rejected"])),
    )


def stamp(value: object) -> Stamp:
    """When something was kept; raises Unusable."""
    fields = reading.table(value, "boot", "at", "wall")
    return Stamp(text_or_none(fields["boot"]), number(fields["at"]), number(fields["wall"]))


def servable(memory: Memory, now: float) -> Memory:
    """The memory itself, or without its token where that has ended by `now` or is known to be dead."""
    reply = memory.reply
    if reply is None:
        return memory
    ended = now >= reply.sent_at + reply.lifetime - FLOOR
    return replace(memory, reply=None, key=None) if ended or reply.token.digest in memory.rejected else memory


def _reply_written(reply: Reply) -> Table:
    token = reply.token
    return {
        "sent_at": reply.sent_at,
        "lifetime": reply.lifetime,
        "token": {
            "value": token.value.reveal(),
            **{name: getattr(token, name) for name in (*_TEXTS, "key_expires_at", "key_id")},
            "user": asdict(token.user),
            "project": asdict(token.project),
            "roles": [asdict(role) for role in token.roles],
            "body": base64.b64encode(token.body).decode(),
            "restricted": token.restricted,
            "access_rules": token.access_rules,
        },
    }


def _reply(value: object, kept: Stamp, shift: float) -> Reply:
    fields = reading.table(value, "sent_at", "lifetime", "token")
    sent_at, lifetime = number(fields["sent_at"]), number(fields["lifetime"])
    if sent_at > kept.at or lifetime <= 0:
        odd()
    return Reply(_token(fields["token"]), lifetime, sent_at + shift, date=None)


def _token(value: object) -> Token:
    fields = reading.table(value, *_FIELDS)
    secret, read = Secret(text(fields["value"])), None
    with suppress(binascii.Error, ValueError):
        read = base64.b64decode(text(fields["body"]), validate=True), secret.sha256()
    if read is None:
        odd()  # out here, because the error of an encoder carries the text along
    body, digest = read
    return Token(
        value=secret,
        digest=digest,
        issued_at=text(fields["issued_at"]),
        expires_at=text(fields["expires_at"]),
        user=_named(fields["user"]),
        project=_named(fields["project"]),
        roles=tuple(_named(role) for role in rows(fields["roles"])),
        key_expires_at=text_or_none(fields["key_expires_at"]),
        body=body,
        key_id=text_or_none(fields["key_id"]),
        restricted=truth_or_none(fields["restricted"]),
        access_rules=truth(fields["access_rules"]),
    )


def _named(value: object) -> Named:
    fields = reading.table(value, "id", "name")
    return Named(text(fields["id"]), text(fields["name"]))
