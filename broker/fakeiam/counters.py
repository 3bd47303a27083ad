"""How many requests came, of what kind, and how they were answered."""

from collections import Counter

from broker.fakeiam.faults import Operation

NO_ANSWER = 0
"""The status that counts a connection which was reset or left."""


class Counters:
    """Counts by operation (`arrived`) and by operation and status (`ended`); both have few possible keys."""

    def __init__(self) -> None:
        self.arrived: Counter[Operation] = Counter()
        self.ended: Counter[tuple[Operation, int]] = Counter()

    @property
    def issue_requests(self) -> int:
        """How many times a token was asked for with an access key, whatever came of it."""
        return self.arrived[Operation.ISSUE]

    @property
    def issued(self) -> int:
        """How many of those were answered 201."""
        return self.ended[Operation.ISSUE, 201]

    def clear(self) -> None:
        """Start again from zero."""
        self.arrived.clear()
        self.ended.clear()

    def as_tree(self) -> dict[str, dict[str, int]]:
        """The counts by status and operation, and `arrived`; `none` stands for no answer."""
        tree: dict[str, dict[str, int]] = {
            operation.value: {"arrived": n} for operation, n in self.arrived.items()
        }
        for (operation, status), number in sorted(self.ended.items()):
            tree.setdefault(operation.value, {})[str(status or "none")] = number
        return tree
