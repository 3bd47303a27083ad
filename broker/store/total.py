"""What all identities together may still ask of IAM, kept over a restart by the rules of `budgets`."""

from broker.core.budget import TOTAL_BURST, Bucket
from broker.core.errors import StoreError
from broker.core.ports import Clock
from broker.store.budgets import BudgetFile
from broker.store.folder import Folder
from broker.store.lane import Lane
from broker.store.moments import Stamp

# No identity is called so: their names begin with a letter or a digit.
STEM = "_total"
_ALL = "all"


class TotalStore:
    """Belongs to one event loop; neither method blocks it, and both have a deadline."""

    def __init__(self, folder: Folder, iam_url: str, clock: Clock, boot_id: str | None) -> None:
        """`iam_url` is the one of [iam]: where that changes, this is a first start."""
        self._file = BudgetFile(folder, STEM, iam_url, {_ALL: TOTAL_BURST})
        self._clock = clock
        self._boot_id = boot_id
        self._lane = Lane(clock, str(folder.path / STEM))

    async def load(self) -> Bucket | None:
        """What was left before the restart; None on a first start."""
        now = Stamp.of(self._clock, self._boot_id)
        try:
            left = await self._lane.run(lambda: self._file.left(now))
        except StoreError:
            left = self._file.scant(now)
        return None if left is None else left[_ALL]

    async def keep(self, left: Bucket) -> None:
        """Remember what is left. Raises StoreError."""
        now = Stamp.of(self._clock, self._boot_id)
        await self._lane.run(lambda: self._file.keep({_ALL: left}, now))
