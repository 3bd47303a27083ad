"""What all end-to-end tests share: their figures."""

from collections.abc import Callable

import pytest

Figures = Callable[..., None]


@pytest.fixture
def figures(record_property: Callable[[str, object], None]) -> Figures:
    """Tell measured figures, by name: into the report and, with `-rP`, onto the screen."""

    def tell(**measured: object) -> None:
        for name, value in measured.items():
            shown = f"{value:.3f}" if isinstance(value, float) else value
            record_property(name, shown)
            print(f"{name}: {shown}")  # noqa: T201  (asked for by -rP)

    return tell
