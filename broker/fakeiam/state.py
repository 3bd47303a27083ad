"""Everything that one emulator knows, in one place for its API, its control API and its tests."""

from dataclasses import dataclass, field

from broker.fakeiam.board import Board
from broker.fakeiam.counters import Counters
from broker.fakeiam.realm import Realm
from broker.fakeiam.storage import Storage
from broker.fakeiam.tokens import Tokens


@dataclass(slots=True)
class State:
    """Realm and tokens, S3 credentials, faults, counters; `page_size` cuts project lists into pages."""

    realm: Realm
    tokens: Tokens
    faults: Board = field(default_factory=Board)
    counters: Counters = field(default_factory=Counters)
    page_size: int | None = None
    storage: Storage = field(init=False)

    def __post_init__(self) -> None:
        self.storage = Storage(self.tokens, self.realm.clock)
