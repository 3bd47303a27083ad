"""What the clients of a strategy lived through."""

from dataclasses import dataclass

from bench.sim.iam import Death


@dataclass(slots=True)
class Ledger:
    """A failed GET is one that got no token, or a token that IAM refuses at that moment."""

    gets: int = 0
    refused: int = 0  # got none
    dead: int = 0  # got one that had ended, or whose key was deleted
    revoked: int = 0  # got one that the early revocation had killed
    longest_dead: float = 0.0  # seconds from the death of a token to its last use
    longest_wait: float = 0.0  # seconds that a GET took

    @property
    def failed(self) -> int:
        return self.refused + self.dead + self.revoked

    @property
    def avoidable(self) -> int:
        """The failed GETs outside the gap between the early revocation and the token's replacement."""
        return self.refused + self.dead

    def used(self, death: Death | None, waited: float) -> None:
        """A client got a token and used it."""
        self.gets += 1
        self.longest_wait = max(self.longest_wait, waited)
        if death is None:
            return
        self.longest_dead = max(self.longest_dead, death.seconds)
        if death.revoked:
            self.revoked += 1
        else:
            self.dead += 1

    def turned_away(self, waited: float) -> None:
        """A client got none."""
        self.gets += 1
        self.refused += 1
        self.longest_wait = max(self.longest_wait, waited)
