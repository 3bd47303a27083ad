"""An identity as it is written: where its one or two access keys are, and when they end; and its client secret.

- KakaoCloud allows two keys per project, so that one can be replaced while the other works; the order is that of
  preference.
- The end of a key is for clouds that do not tell it. It needs its offset from UTC: the console of a cloud shows local
  time, and hours of error are a key that is dead before anybody was warned.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator, ValidationInfo, field_validator

from broker.settings.kinds import FilePath, SourceWords, Url, absolute_file, told
from broker.settings.table import Table

_MOST = 2
_MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?([Zz]|[+-][0-9]{2}:[0-9]{2})?"
)
_EXAMPLE = "2027-01-31T00:00:00Z"


def _sources(keys: tuple[str, ...]) -> tuple[str, ...]:
    if not keys:
        raise told("names no key", "give one source of a key, or two in order of preference")
    if len(keys) > _MOST:
        raise told("names more than two keys", "keep two: the one to be used, and one to take over")
    # With and without a slash at its end a path is the same.
    if len({Path(f"/{words.lstrip('/')}") for words in keys}) < len(keys):
        raise told("names one source twice", "keep one of the two, or name the source of another key")
    return keys


def moment(value: object) -> datetime | None:
    """The moment in UTC that a date-time of TOML or a text of RFC 3339 means; "" is None. Raises what `told` makes."""
    if value is None or value == "":
        return None
    try:
        found = _moment(value)
        if found.tzinfo is not None:
            return found.astimezone(UTC)
    except (ValueError, OverflowError):
        raise told("is not a moment", f"write it like {_EXAMPLE}") from None
    raise told("does not say of which time zone it is", f"add Z for UTC, or the offset, as in {_EXAMPLE}")


def _moment(value: object) -> datetime:
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str) or not _MOMENT.fullmatch(value):
        raise ValueError
    return datetime.fromisoformat(value.upper())


class Identity(Table):
    """A principal with its access keys; what is not given here is as in [iam]."""

    keys: Annotated[tuple[SourceWords, ...], AfterValidator(_sources)]  # in order of preference
    # One for each key, in their order; None: not known here.
    key_expires_at: tuple[Annotated[datetime | None, PlainValidator(moment)], ...] = Field(
        default=None, validate_default=True
    )
    iam_url: Url | None = None
    s3_url: Url | None = None  # of the object storage that takes this identity's tokens; None: as in [s3]
    ca_file: FilePath | None = None
    # What clients of the Keystone facade present; read with the keys, since it is replaced as they are.
    client_secret_file: Annotated[Path, BeforeValidator(absolute_file)] | None = None

    @field_validator("key_expires_at", mode="before")
    @classmethod
    def _one_for_each_key(cls, value: object, info: ValidationInfo) -> object:
        keys: Sequence[str] | None = info.data.get("keys")  # None: broken, which is told already
        if value is None:
            return () if keys is None else (None,) * len(keys)
        ends = value if isinstance(value, list | tuple) else [moment(value)]
        if keys is not None and len(ends) != len(keys):
            what = "does not have one entry for each key"
            raise told(
                what, f'write a list as long as `keys`, like ["{_EXAMPLE}", ""] where one is not known'
            )
        return ends
