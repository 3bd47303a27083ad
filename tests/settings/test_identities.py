"""One or two keys of an identity and when they end, and what is kept and checked of its tokens."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from broker.core.watch import Method
from broker.settings import Cache, Identity, Settings, Validation, load
from tests.settings.broken import CANARY, GOOD, told_of

ENDS = "F, identities.a.key_expires_at"
NOT_MOMENT = "is not a moment; write it like 2027-01-31T00:00:00Z"
NO_ZONE = "does not say of which time zone it is; add Z for UTC, or the offset, as in 2027-01-31T00:00:00Z"
FOR_EACH = (
    "does not have one entry for each key; "
    'write a list as long as `keys`, like ["2027-01-31T00:00:00Z", ""] where one is not known'
)
DAY = datetime(2027, 1, 31, tzinfo=UTC)
P = "KAKAOCLOUD_BROKER_"


def loaded(addition: str, folder: Path, **environ: str) -> Settings:
    path = folder / "broker.toml"
    path.write_text(f"{GOOD}{addition}")
    return load(path, environ)


def identity(folder: Path, *lines: str) -> Identity:
    return loaded("\n".join(["[identities.a]", *lines]), folder).identities["a"]


@pytest.mark.parametrize("keys", [("/a",), ("/b", "/a"), ("/a", "env:"), ("/a.toml", "/a")])
def test_one_or_two_keys_stay_in_their_order(tmp_path: Path, keys: tuple[str, ...]):
    found = identity(tmp_path, f"keys = {list(keys)}")
    assert (found.keys, found.key_expires_at) == (keys, (None,) * len(keys))


@pytest.mark.parametrize(
    "text",
    [
        "2027-01-31T00:00:00Z",  # a date-time of TOML, and below as text
        '"2027-01-31T00:00:00Z"',
        '"2027-01-31t00:00:00.000z"',
        '"2027-01-31 09:00:00+09:00"',
        "2027-01-30T19:00:00-05:00",
        "[2027-01-31T00:00:00Z]",
    ],
)
def test_the_end_of_the_only_key(tmp_path: Path, text: str):
    assert identity(tmp_path, 'keys = ["/a"]', f"key_expires_at = {text}").key_expires_at == (DAY,)


def test_the_ends_of_two_keys_stand_in_their_order(tmp_path: Path):
    found = identity(tmp_path, 'keys = ["/a", "/b"]', 'key_expires_at = ["", 2027-01-31T00:00:00Z]')
    assert found.key_expires_at == (None, DAY)
    assert Identity.model_validate(found.model_dump()) == found


@pytest.mark.parametrize(
    ("text", "ends"), [("2027-01-31T00:00:00Z", (DAY,)), (' ["2027-01-31T00:00:00Z"]', (DAY,)), ("", (None,))]
)
def test_the_end_from_a_variable(tmp_path: Path, text: str, ends: tuple[datetime | None, ...]):
    settings = loaded("", tmp_path, **{f"{P}IDENTITIES__DEFAULT__KEY_EXPIRES_AT": text})
    assert settings.identities["default"].key_expires_at == ends


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        (
            ["/a", "/b", "/c"],
            "names more than two keys; keep two: the one to be used, and one to take over",
        ),
        *[
            (keys, "names one source twice; keep one of the two, or name the source of another key")
            for keys in (["/a", "/a"], ["/a/b", "//a//b/"], ["env:", "env:"])
        ],
    ],
)
def test_what_is_no_pair_of_keys(tmp_path: Path, keys: list[str], told: str):
    # What `keys` cannot tell, their ends are not blamed for.
    addition = f'[identities.a]\nkeys = {keys}\nkey_expires_at = ["", "", "", ""]\n'
    assert told_of(addition, tmp_path) == [f"F, identities.a.keys: {told}"]


@pytest.mark.parametrize(
    ("ends", "told"),
    [
        ('"2027-01-31T00:00:00Z"', [f"{ENDS}: {FOR_EACH}"]),
        ("[]", [f"{ENDS}: {FOR_EACH}"]),
        ('["", "", ""]', [f"{ENDS}: {FOR_EACH}"]),
        (f'["{CANARY}", 3]', [f"{ENDS}[0]: {NOT_MOMENT}", f"{ENDS}[1]: {NOT_MOMENT}"]),
        (f'"{CANARY}"', [f"{ENDS}: {NOT_MOMENT}"]),
        ("1801353600", [f"{ENDS}: {NOT_MOMENT}"]),
        ("true", [f"{ENDS}: {NOT_MOMENT}"]),
        ("{}", [f"{ENDS}: {NOT_MOMENT}"]),
        ("2027-01-31", [f"{ENDS}: {NOT_MOMENT}"]),
        ('"2027-01-31"', [f"{ENDS}: {NOT_MOMENT}"]),
        ('"2027-02-31T00:00:00Z"', [f"{ENDS}: {NOT_MOMENT}"]),
        ('"0001-01-01T00:00:00+14:00"', [f"{ENDS}: {NOT_MOMENT}"]),
        ('["2027-01-31T00:00:00", ""]', [f"{ENDS}[0]: {NO_ZONE}"]),
        ("2027-01-31T00:00:00", [f"{ENDS}: {NO_ZONE}"]),
    ],
)
def test_what_is_no_end(tmp_path: Path, ends: str, told: list[str]):
    addition = f'[identities.a]\nkeys = ["/a", "/b"]\nkey_expires_at = {ends}\n'
    assert told_of(addition, tmp_path) == told


@pytest.mark.parametrize(
    ("method", "methods"),
    [
        ("auth-tokens", (Method.AUTH_TOKENS, Method.PROJECTS)),
        ("projects", (Method.PROJECTS,)),
        ("off", ()),
    ],
)
def test_the_methods_of_validation(tmp_path: Path, method: str, methods: tuple[Method, ...]):
    found = loaded(f'[validation]\nevery = "90s"\nmethod = "{method}"\n', tmp_path).validation
    assert (found.every, found.methods) == (90.0, methods)


def test_without_a_word_tokens_are_validated_and_kept(tmp_path: Path):
    settings = loaded("", tmp_path)
    assert settings.validation == Validation(every=300.0, method="auth-tokens")
    assert settings.cache == Cache(path=None, off=False)


def test_the_folder_of_the_cache(tmp_path: Path):
    assert loaded('[cache]\npath = "/var/cache/broker/"\n', tmp_path).cache.path == Path("/var/cache/broker")
    assert loaded("[cache]\n", tmp_path, **{f"{P}CACHE__OFF": "true"}).cache == Cache(off=True)
    assert loaded('[cache]\npath = "/c"\noff = false\n', tmp_path).cache == Cache(path=Path("/c"))


@pytest.mark.parametrize(
    ("addition", "told"),
    [
        (
            '[validation]\nevery = "2h"\nmethod = "sometimes"\n',
            [
                "F, validation.every: is out of bounds; choose a duration between 0.1s and 1h",
                (
                    "F, validation.method: is not one of the words known here; "
                    "choose 'auth-tokens', 'projects' or 'off'"
                ),
            ],
        ),
        (
            "[validation]\nmethods = []\n",
            ["F, validation.methods: is not a known setting; did you mean `validation.method`?"],
        ),
        (
            '[cache]\npath = "c"\n',
            ["F, cache.path: is not the absolute path of a folder; begin with /"],
        ),
        ("[cache]\npath = 1\n", ["F, cache.path: is not text; put the value in quotes"]),
        (
            '[cache]\npath = "/c"\noff = true\n',
            ["F, cache: names a folder and is off; keep `path` or keep `off`"],
        ),
    ],
)
def test_a_broken_section(tmp_path: Path, addition: str, told: list[str]):
    assert told_of(addition, tmp_path) == told
