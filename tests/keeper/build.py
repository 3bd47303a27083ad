"""A keeper out of fakes."""

from broker.core.watch import Method
from broker.keeper.keeper import Keeper
from broker.keeper.places import KeyPlace
from broker.keeper.setting import Allowance, Observer, Setting, Validation
from tests.fakes.clock import FakeClock
from tests.fakes.issuer import FakeIssuer, FakeSource
from tests.fakes.store import FakeStore

OFF = Validation(methods=())
ON = Validation()
LIST = Validation(methods=(Method.PROJECTS,))


def setting(clock: FakeClock, *observers: Observer, validation: Validation = OFF) -> Setting:
    """Half of every jitter; validation only where a test is about it."""
    return Setting(clock, "host", Allowance(clock.now()), lambda: 0.5, observers, validation=validation)


def keeper(
    shared: Setting,
    issuer: FakeIssuer,
    *sources: FakeSource,
    name: str = "default",
    store: FakeStore | None = None,
) -> Keeper:
    """A keeper with one source, or two in order of preference."""
    places = [KeyPlace(source, source.key) for source in sources]
    return Keeper(name, places, issuer, store or FakeStore(), shared)
