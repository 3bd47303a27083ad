"""What is not to be had is left out by name, and only what has changed is built anew."""

from pathlib import Path

import pytest

from bench.speed import tools
from bench.speed.processes import Failed


def missing(_first, _second=None, _third=None):
    raise Failed("it is not here")


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(tools, "CACHE", tmp_path)
    return tmp_path


def test_what_is_missing_is_named(cache, monkeypatch):
    monkeypatch.setattr(tools, "generator", lambda _: cache / "load")
    for name in ("_compile_python", "_go_server", "_on_path", "_environment"):
        monkeypatch.setattr(tools, name, missing if name != "_compile_python" else lambda _: None)
    told: list[str] = []
    found = tools.tools(told.append, peers=True)
    assert (found.go_server, found.nginx, found.peers) == (None, None, None)
    assert [line.split(":")[0] for line in found.skipped] == [
        "the Go reference and what is measured beside it",
        "nginx",
        "elhaz and moto",
    ]
    assert all("it is not here" in line for line in told)


@pytest.mark.usefixtures("cache")
def test_without_a_compiler_nothing_is_measured(monkeypatch):
    monkeypatch.setattr("shutil.which", lambda _: None)
    with pytest.raises(Failed, match="needs a C compiler"):
        tools.generator(lambda _: None)


def test_a_program_is_built_once_for_each_state_of_its_sources(cache):
    source = cache / "source"
    built: list[str] = []

    def build() -> Path:
        return tools._built("program", [source], ["/bin/cp", source], built.append)

    source.write_text("one")
    first = build()
    assert build() == first
    source.write_text("two")
    second = build()
    assert (first.read_text(), second.read_text(), len(built)) == ("one", "two", 2)


def test_a_build_that_fails_leaves_no_program(cache):
    with pytest.raises(Failed):
        tools._built("program", [], ["/bin/cp", "/nowhere"], lambda _: None)
    assert list(cache.iterdir()) == []
