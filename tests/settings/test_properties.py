"""Settings that are nearly right, or not at all: each is loaded, or told what is wrong in sentences that repeat nothing.

A value may be a secret in the wrong place, so `CANARY` stands in many of them, and in keys too odd to be names.
"""

import json
import math
from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from broker.core.access import Owner
from broker.core.errors import ConfigError
from broker.settings import Settings, load, loading
from broker.settings.cautions import cautions
from broker.settings.changes import Changes, compare
from broker.settings.known import sections, spellings
from broker.settings.tree import Iam, Refresh, Serving
from broker.settings.variables import PREFIX, near_misses

CANARY = "Canary/+Secret=="
OWNER = Owner(0, in_container=False)
Table = dict[str, object]
Load = Callable[[bytes, dict[str, str]], Settings | None]

GOOD: Table = {
    "iam": {"url": "https://iam.example/identity/v3", "timeout": "10s", "connect_timeout": 5},
    "listen": [{"unix": "/s", "mode": "0660"}, {"tcp": "127.0.0.1:0", "serve": ["tokens", "health"]}],
    "identities": {"default": {"keys": ["/k"]}, "other": {"keys": ["/a", "/b"], "key_expires_at": ["", ""]}},
    "grants": [{"identity": "default", "users": [1000, "root"], "listeners": ["/s"]}],
    "refresh": {"earliest": 0.5, "latest": 0.7, "critical": 0.9},
    "validation": {"every": "5m", "method": "projects"},
    "cache": {"path": "/c"},
    "log": {"level": "debug", "format": "json"},
    "serving": {"drain": 10, "hosts": ["broker.internal"]},
}
KEYS = sorted(
    {*sections(), *Iam.model_fields, *Serving.model_fields, *Refresh.model_fields}
    | {
        "keys",
        "unix",
        "tcp",
        "serve",
        "identities",
        "users",
        "groups",
        "any",
        "identity",
        "secret",
        "off",
        "method",
    }
    | {
        "",
        "_env_file",
        "iam.url",
        CANARY,
        CANARY * 9,
        "default",
        "model_config",
        "__class__",
        "client_secret_file",
    }
)
scalars = (
    st.sampled_from([True, False, 0, -1, 1, 2**70, 0.5, math.nan, math.inf, -0.0, 1e400])
    | st.sampled_from(
        ["", "/", "/s", "/k", "/../k", "127.0.0.1:0", "[::1]:80", "0.0.0.0:1", "localhost:1", "default"]
    )
    | st.sampled_from(
        ["true", "debug", "10s", "-5m", "1e9", "0666", "https://iam.example/v3", "http://iam.example/v3"]
    )
    | st.sampled_from(
        [CANARY, f"/{CANARY}\0", f"https://user:{CANARY}@iam.example/v3", f"{CANARY}\n{CANARY}", "\u0661"]
    )
    | st.just(datetime(2027, 1, 1, tzinfo=UTC))
    | st.text(st.characters(codec="utf-8"), max_size=20)
    | st.integers()
    | st.floats()
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=3),
    max_leaves=6,
)


@st.composite
def trees(draw: st.DrawFn) -> Table:
    """The good settings with up to four things changed, at any depth."""
    tree = deepcopy(GOOD)
    for _ in range(draw(st.integers(0, 4))):
        at: object = tree
        while True:
            down = at.values() if isinstance(at, dict) else at if isinstance(at, list) else ()
            inner = [each for each in down if isinstance(each, dict | list) and each]
            if not inner or draw(st.booleans()):
                break
            at = draw(st.sampled_from(inner))
        if isinstance(at, dict):
            key = draw(st.sampled_from([*at, *at, *KEYS]))
            at.pop(key, None)
            if draw(st.integers(0, 3)):
                at[key] = draw(values)
        elif isinstance(at, list):
            at[draw(st.integers(0, len(at) - 1))] = draw(values)
    return tree


def toml(value: object) -> str:
    """A value as TOML writes it, tables in one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {toml(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, str):
        # JSON's form but for this one, which it leaves as it is.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return json.dumps(value).replace("NaN", "nan").replace("Infinity", "inf")


def file_of(tree: Table) -> bytes:
    return "\n".join(f"{json.dumps(key)} = {toml(value)}" for key, value in tree.items()).encode()


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Load:
    """Loads a file and variables: the settings, or None where each problem is told as it should be."""
    path = tmp_path_factory.mktemp("settings") / "broker.toml"

    def load_them(content: bytes, environ: dict[str, str]) -> Settings | None:
        path.write_bytes(content)
        try:
            return load(path, environ)
        except ConfigError as error:
            in_order(error, path)
            return None

    return load_them


def in_order(error: ConfigError, path: Path) -> None:
    """One sentence for each problem: where, what, and the remedy; nothing of a value."""
    assert error.problems
    for problem in error.problems:
        assert problem.where
        assert problem.what
        assert problem.remedy
        assert str(problem).replace(str(path), "F").isprintable(), problem
    assert CANARY not in str(error)
    assert CANARY.lower() not in str(error)


def usable(settings: Settings) -> None:
    """What is done with settings next does not fail on any that were loaded."""
    list(cautions(settings))
    settings.policy(OWNER)
    for name in settings.identities:
        settings.iam_of(name)
    assert compare(settings, settings) == Changes()


def test_the_good_ones_are_good(loaded: Load) -> None:
    settings = loaded(file_of(GOOD), {})
    assert settings is not None
    usable(settings)


@given(tree=trees())
def test_any_tree_is_loaded_or_told_in_sentences(loaded: Load, tree: Table) -> None:
    settings = loaded(file_of(tree), {})
    if settings is not None:
        usable(settings)


@given(
    content=st.binary(max_size=60)
    | st.text(st.sampled_from('[]{}="\\\n.#ab1\0é'), max_size=60).map(str.encode)
)
@example(content=b"a = " + b"[" * 5000)
def test_any_file_is_loaded_or_told_in_sentences(loaded: Load, content: bytes) -> None:
    loaded(content, {})


names = st.sampled_from([*spellings(), *KEYS]).map(
    lambda name: PREFIX + (name.replace("_", "__", 1) if "__" not in name else name).upper()
) | st.lists(st.sampled_from(KEYS), min_size=1, max_size=4).map(
    lambda parts: PREFIX + "__".join(parts).upper()
)
texts = scalars.map(str) | values.map(lambda value: json.dumps(value, default=str)) | st.just("[" * 3000)


@given(
    environ=st.dictionaries(names, texts, max_size=4),
    key=st.sampled_from([{}, {"KAKAOCLOUD_APPLICATION_CREDENTIAL_ID": "x", "OS_AUTH_URL": CANARY}]),
    tree=st.none() | trees(),
)
def test_any_variables_are_loaded_or_told_in_sentences(
    loaded: Load, environ: dict[str, str], key: dict[str, str], tree: Table | None
) -> None:
    """A key that is set in the environment may be a secret, and so may its name where it is odd."""
    settings = loaded(b"" if tree is None else file_of(tree), {**environ, **key})
    if settings is not None:
        usable(settings)
    assert all(str(problem).isprintable() for problem in near_misses(environ))


def test_a_named_file_that_is_none_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "DEFAULT_FILE", tmp_path / "standard.toml")
    for path in (tmp_path, tmp_path / "nothing"):
        with pytest.raises(ConfigError) as caught:
            load(path, {})
        assert len(caught.value.problems) == 1
