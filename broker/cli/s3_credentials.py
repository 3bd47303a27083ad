"""`broker s3-credentials`: S3 credentials as a `credential_process` of AWS gives them; nothing else on stdout."""

from __future__ import annotations

import json
import os

from broker.cli.ends import WrongUsage, put
from broker.client import s3


def s3_credentials(
    identity: str | None = None, *, region: str | None = None, duration: float | None = None
) -> None:
    """Print those of the identity, or of the usual one. Raises ClientError, and WrongUsage for what can be no wish."""
    if region is not None and not s3.is_region(region):
        raise _wrong("the region is none; write it like kr-central-2")
    if duration is not None and not s3.SHORTEST <= duration <= s3.LONGEST:
        raise _wrong("the duration is out of bounds; choose one between 1m and 12h")
    found = s3.credentials(os.environ, identity, region, duration)
    shown = {
        "Version": 1,
        "AccessKeyId": found["AccessKeyId"],
        "SecretAccessKey": found["SecretAccessKey"],
        "SessionToken": found["Token"],
        "Expiration": found["Expiration"],
    }
    put(json.dumps(shown))


def _wrong(sentence: str) -> WrongUsage:
    return WrongUsage("s3-credentials", sentence)
