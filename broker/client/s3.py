"""S3 credentials of an identity, as the broker tells them, in AWS' words."""

from __future__ import annotations

from broker.client import address, fetch
from broker.client.fetch import awaited, is_word, path_of, strange, usual_identity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from broker.client.ask import Steps

TIMEOUT = 15.0  # seconds: object storage may have to be asked, and IAM before it
SHORTEST, LONGEST = 60.0, 43_200.0  # seconds that may be asked for
_LETTERS, _LONGEST_REGION = "abcdefghijklmnopqrstuvwxyz0123456789-", 63
_PARTS = ("AccessKeyId", "SecretAccessKey", "Token", "Expiration")


def credentials(
    environ: Mapping[str, str],
    identity: str | None,
    region: str | None = None,
    duration: float | None = None,
    timeout: float = TIMEOUT,
) -> dict[str, str]:
    """AccessKeyId, SecretAccessKey, Token and Expiration; without a region or a duration (seconds) the broker's own.

    Waited for up to `timeout` seconds. Raises ClientError.
    """
    return fetch.run(lambda: address.find(environ), _steps(identity, region, duration, timeout))


def target(identity: str, region: str | None = None, duration: float | None = None) -> str:
    """Where they are, below the broker's address; for AWS_CONTAINER_CREDENTIALS_FULL_URI too. Raises Denied for no name."""
    asked = [] if region is None else [f"region={region}"]
    asked += [] if duration is None else [f"duration={int(duration)}"]
    return f"{path_of(identity)}/s3-credentials" + (f"?{'&'.join(asked)}" if asked else "")


def is_region(text: str) -> bool:
    """Whether it can be a region's name, and so stand in a query as it is."""
    return 0 < len(text) <= _LONGEST_REGION and not text.strip(_LETTERS)


def _steps(
    identity: str | None, region: str | None, duration: float | None, timeout: float
) -> Steps[dict[str, str]]:
    name = (yield from usual_identity("whose S3 credentials you want")) if identity is None else identity
    answer = yield from awaited(target(name, region, duration), timeout, what="S3 credentials")
    tree: dict[str, Any] = answer.tree()
    found = {part: tree.get(part) for part in _PARTS}
    if not all(isinstance(text, str) and is_word(text) for text in found.values()):
        raise strange()
    return {part: str(text) for part, text in found.items()}
