"""The tokens that an identity has had, and who was given which: what a client may still present, and ask for once more.

- A token that is found dead stays known until its end: its holder is to get the one that is good.
- Tokens themselves are not kept, only their hashes: whoever presents one has it.
- Of a token that survived a restart it is not known who was given it, nor where too many were: so anybody may have it.
"""

from dataclasses import dataclass, field

from broker.core import lease
from broker.core.lease import Lease

# Reports alone replace a token once an hour, and tokens live half a day.
MOST_TOKENS = 16
MOST_HOLDERS = 4096


@dataclass(slots=True)
class _Entry:
    body: bytes
    deadline: float
    anybody: bool  # may have it
    holders: set[int] = field(default_factory=set)  # uids


class Ledger:
    """The tokens of one identity, in the order in which they came."""

    def __init__(self) -> None:
        self._entries: dict[str, _Entry] = {}  # by digest

    def lease_changed(self, before: Lease, after: Lease, now: float) -> None:
        """Take note of a new token; an observer of the lease."""
        held = after.held
        if held is None or held is before.held:
            return
        anybody = not lease.in_flight(before)
        self._entries[held.token.digest] = _Entry(held.token.body, held.span.deadline, anybody)
        for digest in [each for each, entry in self._entries.items() if entry.deadline <= now]:
            del self._entries[digest]
        while len(self._entries) > MOST_TOKENS:
            del self._entries[next(iter(self._entries))]

    def find(self, digest: str, now: float) -> bytes | None:
        """IAM's whole answer with the token of this SHA-256, if it was one of the identity's and has not ended."""
        entry = self._entries.get(digest)
        return entry.body if entry is not None and now < entry.deadline else None

    def gave(self, digest: str, uid: int) -> None:
        """This user was given the token of this SHA-256."""
        if (entry := self._entries.get(digest)) is not None:
            entry.holders.add(uid)
            if len(entry.holders) > MOST_HOLDERS:
                entry.anybody = True
                entry.holders.clear()

    def given(self, digest: str, uid: int) -> bool:
        """Whether this user may have been given it before."""
        entry = self._entries.get(digest)
        return entry is None or entry.anybody or uid in entry.holders
