"""What the headers of a reply say; pure.

- A header that stands twice says nothing: two readers would disagree on which one counts.
- Time is the server's own: a date is compared with the reply's `Date`, never with a clock of this host.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

Headers = Sequence[tuple[str, str]]

_SECONDS = re.compile(r"[0-9]{1,9}")


def sole(headers: Headers, name: str) -> str | None:
    """The value of a header that stands exactly once."""
    values = [value for key, value in headers if key.lower() == name.lower()]
    return values[0] if len(values) == 1 else None


def date(headers: Headers) -> datetime | None:
    """The server's clock when it answered, in UTC, where it told it."""
    return _http_date(sole(headers, "Date"))


def retry_after(headers: Headers) -> float | None:
    """The seconds that the server asks to wait; None when it does not say, or says nonsense."""
    text = (sole(headers, "Retry-After") or "").strip()
    if _SECONDS.fullmatch(text):
        return float(text)
    then, now = _http_date(text), date(headers)
    if then is None or now is None or then < now:
        return None
    return (then - now).total_seconds()


def _http_date(text: str | None) -> datetime | None:
    # The longest honest form has 33 characters; the parser has been slow, and worse, on long ones.
    if text is None or len(text) > 64:
        return None
    try:
        when = parsedate_to_datetime(text)
        # "-0000" gives a naive time, which means UTC.
        return when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)
    except (ValueError, TypeError, OverflowError, IndexError, AttributeError):
        # The parser promises ValueError alone; older ones let the others out.
        return None
