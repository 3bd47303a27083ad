"""One identity that runs: its keeper, and what is asked for with its token beside it.

Whatever stands beside the keeper has flights, a cache and limits of its own, so that it can never hold up an issue (L3).
"""

from dataclasses import dataclass

from broker.keeper.keeper import Keeper
from broker.keeper.ledger import Ledger
from broker.keeper.projects import Projects
from broker.keeper.relay import Relay
from broker.keeper.s3_credentials import S3Credentials


@dataclass(frozen=True, slots=True)
class Member:
    """What a broker has of one identity."""

    keeper: Keeper
    projects: Projects
    s3: S3Credentials
    relay: Relay
    ledger: Ledger

    async def aclose(self) -> None:
        """End what is under way and wait for its end."""
        await self.projects.aclose()
        await self.s3.aclose()
        await self.keeper.aclose()
