"""A clock that stands still until a test moves it."""

from datetime import UTC, datetime, timedelta


class Clock:
    """Starts a quarter of a second after a full second, so that flooring shows."""

    def __init__(self) -> None:
        self.now = datetime(2030, 1, 2, 3, 4, 5, 250_000, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
