"""`broker wait`: for start-up probes and scripts that begin before the broker does."""

from __future__ import annotations

import os

from broker.client import ready

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

TIMEOUT = 60.0  # seconds


def wait(identities: Sequence[str], timeout: float = TIMEOUT) -> None:
    """Return once the broker holds a usable token for each of them, or for all that it has. Raises ClientError."""
    ready.wait(os.environ, identities, timeout)
