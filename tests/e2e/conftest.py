"""What all end-to-end tests share: their figures, and the last look for secrets."""

from collections.abc import Callable, Iterator

import pytest

from tests.e2e.spoken import SPOKEN

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


@pytest.fixture(scope="session", autouse=True)
def _nobody_said_a_secret() -> Iterator[None]:
    """Rule: no process of the whole run ever says a secret, its own or another's."""
    yield
    SPOKEN.check_all()
    print(f"outputs searched: {len(SPOKEN.outputs)}, secrets: {len(SPOKEN.secrets)}")  # noqa: T201  (as above)
