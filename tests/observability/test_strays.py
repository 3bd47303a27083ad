"""What the interpreter would write to stderr by itself goes through the log, and so through its second net."""

import json
import logging
import sys
import threading
import warnings
from collections.abc import Callable, Iterator

import pytest

from broker.observability import logs, strays

TOKEN = "gAAAAABmZm9v" + "aZ09-_" * 28 + "=="


@pytest.fixture
def catch(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """Called in the test itself, because what captures stderr is another object by then."""

    def begin() -> None:
        logs.configure("info", "json")
        strays.catch()

    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        yield begin
        logging.captureWarnings(False)


class Leaky:
    """Something whose end fails, and which is shown by what it holds."""

    def __del__(self) -> None:
        raise ValueError(f"no good: {TOKEN}")

    def __repr__(self) -> str:
        return f"Leaky({TOKEN})"


def test_an_exception_that_nobody_can_be_told_of(
    catch: Callable[[], None], capsys: pytest.CaptureFixture[str]
):
    catch()
    Leaky()
    line = json.loads(capsys.readouterr().err)
    assert line["event"] == "stray_exception"
    assert "ValueError: no good: ***" in line["exception"]
    assert TOKEN[:20] not in str(line)


def test_an_exception_that_ends_a_thread(catch: Callable[[], None], capsys: pytest.CaptureFixture[str]):
    catch()

    def fail() -> None:
        raise ValueError(f"no good: {TOKEN}")

    for target in (fail, sys.exit):
        thread = threading.Thread(target=target, name="worker")
        thread.start()
        thread.join()
    line = json.loads(capsys.readouterr().err)
    assert (line["event"], line["where"]) == ("stray_exception", "worker")
    assert "ValueError: no good: ***" in line["exception"]


def test_a_warning(catch: Callable[[], None], capsys: pytest.CaptureFixture[str]):
    catch()
    warnings.warn(f"unclosed <{TOKEN}>", ResourceWarning, stacklevel=1)
    line = json.loads(capsys.readouterr().err)
    assert "unclosed <***>" in line["event"]
    assert line["level"] == "warning"
