"""Where an identity's client secret is: how it is written, and what a reload makes of it."""

from pathlib import Path

import pytest

from broker.settings import Settings, load
from broker.settings.changes import Changes, compare, taken_over
from tests.settings.broken import CANARY, GOOD, told_of

FIELD = "client_secret_file"
OTHER = "https://other.example/v3"


def loaded(folder: Path, addition: str = "", **environ: str) -> Settings:
    path = folder / "broker.toml"
    path.write_text(f"{GOOD}{addition}")
    return load(path, environ)


def test_it_is_named_in_the_file_or_by_a_variable(tmp_path: Path):
    """Whether the file is there is found out where it is read, with the keys: it is replaced while the settings stay."""
    there = loaded(tmp_path, f'[identities.a]\nkeys = ["/k"]\n{FIELD} = "/no/such/file"\n').identities
    assert (there["a"].client_secret_file, there["default"].client_secret_file) == (
        Path("/no/such/file"),
        None,
    )
    variable = {"KAKAOCLOUD_BROKER_IDENTITIES__DEFAULT__CLIENT_SECRET_FILE": "/x"}
    assert loaded(tmp_path, **variable).identities["default"].client_secret_file == Path("/x")


@pytest.mark.parametrize(
    ("value", "told"),
    [
        *[
            (f'"{text}"', "is not the absolute path of a file; begin with / and do not end with it")
            for text in (CANARY, "", f"./{CANARY}", "/folder/", "/a\\u0000b")
        ],
        ("1", "is not text; put the value in quotes"),
        (f'["{CANARY}"]', "is not text; put the value in quotes"),
    ],
)
def test_what_is_no_place_is_told_without_repeating_it(tmp_path: Path, value: str, told: str):
    addition = f'[identities.a]\nkeys = ["/k"]\n{FIELD} = {value}\n'
    assert told_of(addition, tmp_path) == [f"F, identities.a.{FIELD}: {told}"]


def test_the_secret_itself_or_a_misspelling_is_no_setting(tmp_path: Path):
    addition = f'[identities.a]\nkeys = ["/k"]\nclient_secret = "{CANARY}"\n'
    told = f"is not a known setting; did you mean `identities.a.{FIELD}`?"
    assert told_of(addition, tmp_path) == [f"F, identities.a.client_secret: {told}"]


def tree(file: str | None, keys: str = "/k", **iam: str) -> Settings:
    own = {} if file is None else {FIELD: file}
    return Settings.model_validate(
        {"listen": [{"unix": "/s"}], "identities": {"default": {"keys": [keys], **own, **iam}}}
    )


@pytest.mark.parametrize(("before", "after"), [(None, "/a"), ("/a", "/b"), ("/a", None)])
def test_a_reload_takes_it_over_and_leaves_the_keys_alone(before: str | None, after: str | None):
    running, new = tree(before), tree(after)
    assert compare(running, new) == Changes(client_secrets=("default",))
    assert taken_over(running, new) == new


def test_keys_alone_do_not_change_it():
    assert compare(tree("/a"), tree("/a", "/l")) == Changes(rekeyed=("default",))


def test_it_is_taken_over_even_where_keys_must_wait_for_the_restart():
    """It goes to no IAM, and whoever sets one counts on it."""
    running, new = tree("/a"), tree("/b", "/l", iam_url=OTHER)
    waiting = ("identities.default.keys", "identities.default.iam_url")
    assert compare(running, new) == Changes(client_secrets=("default",), needs_restart=waiting)
    assert taken_over(running, new) == tree("/b")
