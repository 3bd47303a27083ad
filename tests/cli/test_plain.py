"""A plain call means what the command line's library takes it to mean; whatever else is left to the library."""

from collections.abc import Callable
from importlib import import_module
from inspect import signature

import pytest

from broker.cli import plain
from broker.cli.main import broker

Call = tuple[str, list[object]]
Calls = list[Call]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    """What the commands were called with, their defaults filled in; nobody is asked."""
    seen: Calls = []
    for name in ("token", "wait", "reject", "run", "execute", "s3_credentials"):
        module = import_module(f"broker.cli.{name}")
        monkeypatch.setattr(module, name, _recorder(name, getattr(module, name), seen))
    return seen


def _recorder(name: str, command: Callable[..., None], seen: Calls) -> Callable[..., None]:
    def record(*args: object, **more: object) -> None:
        bound = signature(command).bind(*args, **more)
        bound.apply_defaults()
        seen.append((name, [list(v) if isinstance(v, tuple) else v for v in bound.arguments.values()]))

    return record


@pytest.mark.parametrize(
    "line",
    [
        "token",
        "token shop",
        "token --timeout 0",
        "token --timeout=90s shop --min-ttl 10m",
        "token --format text --format=header",
        "token --format env --timeout 1.5h",
        "wait",
        "wait a --timeout 0 b",
        "wait --timeout=2d",
        "reject",
        "reject shop",
        "s3-credentials",
        "s3-credentials shop",
        "s3-credentials --region kr-east-1 --duration 30m shop",
        "s3-credentials --duration=3600 --region=kr --region x",
        "s3-credentials --region A/B --duration 0",
        "run",
        "run --config /etc/b.toml",
        "run --config a --config=b",
        "exec -- env",
        "exec --s3 --identity shop --client-secret-file=/f --with-token -- env -i -- A=1",
        "exec --identity a --s3 --identity=b -- broker exec --s3 -- env",
    ],
)
def test_a_plain_call_means_the_same_to_both(calls: Calls, line: str):
    words = line.split()
    assert plain.done(words)
    broker.main(words, prog_name="broker", standalone_mode=False)
    assert len(calls) == 2
    assert calls[0] == calls[1]


@pytest.mark.parametrize("word", ["", "\udcff", "a b", "../..", "gAAAAAB"])
def test_a_strange_name_means_the_same_to_both(calls: Calls, word: str):
    words = ["token", word]
    assert plain.done(words)
    broker.main(words, prog_name="broker", standalone_mode=False)
    assert calls[0] == calls[1]


@pytest.mark.parametrize(
    "line",
    [
        "",
        "--version",
        "--help",
        "status",
        "tokens",
        "token --help",
        "token --follow",
        "token a b",
        "token -- a",
        "token -",
        "token --form json",
        "token --format",
        "token --format xml",
        "token --format= text",
        "token --timeout",
        "token --timeout=",
        "token --timeout soon",
        "token --timeout -1",
        "token --min-ttl --timeout 5",
        "wait --min-ttl 5",
        "wait --nonsense",
        "reject a b",
        "reject --timeout 5",
        "s3-credentials a b",
        "s3-credentials --region",
        "s3-credentials --region=",
        "s3-credentials --duration soon",
        "s3-credentials --timeout 5",
        "run b.toml",
        "run --config",
        "run --config=",
        "run --conf b.toml",
        "run --help",
        "exec",
        "exec --",
        "exec --s3",
        "exec env",
        "exec shop -- env",
        "exec --identity -- env",
        "exec --s3=yes -- env",
        "exec --help -- env",
    ],
)
def test_whatever_is_not_plain_is_left_to_the_library_untouched(calls: Calls, line: str):
    assert not plain.done(line.split())
    assert calls == []
