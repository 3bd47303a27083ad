"""Where a doctor looks for the broker."""

from pathlib import Path

from broker.diagnosis.doctor import beside
from broker.settings.defaults import SYSTEM_CACHE


def test_beside_a_broker_of_the_system_its_defaults_hold_whoever_asks(tmp_path: Path):
    path = tmp_path / "broker.sock"
    assert beside({}, str(path)) == {}
    path.touch()
    assert beside({}, str(path)) == {"RUNTIME_DIRECTORY": f"{tmp_path}:{SYSTEM_CACHE}"}
    assert beside({"RUNTIME_DIRECTORY": "/own"}, str(path)) == {"RUNTIME_DIRECTORY": "/own"}
