"""The words of the configuration become sources."""

from pathlib import Path

import pytest

from broker.core.ports import KeySource
from broker.identity.sources import Sources, is_source
from tests.identity.keys import BY_ID, ID_FIELDS, NAME_FIELDS, folder, refusal, written


def test_what_a_path_is_is_decided_at_each_reading(tmp_path: Path):
    """A link may be switched from a directory to a file."""
    link = tmp_path / "current.json"
    link.symlink_to(folder(tmp_path / "old", ID_FIELDS))
    source: KeySource = Sources({}).of(str(link))
    assert source.where == str(link)
    first = source.read()
    assert first == BY_ID
    fresh = tmp_path / "fresh"
    fresh.symlink_to(written(tmp_path / "new.json", NAME_FIELDS))
    fresh.rename(link)
    assert first != source.read()
    link.unlink()
    assert refusal(source.read, link) == [": does not exist; create it or correct the path"]


def test_keys_are_compared_by_content(tmp_path: Path):
    sources = Sources({})
    one = sources.of(str(folder(tmp_path / "a", ID_FIELDS)))
    other = sources.of(str(written(tmp_path / "b.toml", ID_FIELDS)))
    assert one.read() == other.read()


def test_a_secret_that_nobody_asked_for_does_not_stay_in_the_environment(tmp_path: Path):
    environ = {"OS_APPLICATION_CREDENTIAL_ID": "an-id", "OS_APPLICATION_CREDENTIAL_SECRET": "made-up"}
    sources = Sources(environ)
    sources.of(str(tmp_path))
    sources.seal()
    assert "OS_APPLICATION_CREDENTIAL_SECRET" not in environ
    assert sources.of("env:").read().label == "an-id"


def test_sealing_an_environment_without_a_key_is_no_error():
    Sources({}).seal()


def test_the_environment_is_one_source_for_all_who_ask():
    """It can be read only once, so a second identity or a reload gets the same."""
    sources = Sources(
        {
            "OS_APPLICATION_CREDENTIAL_ID": BY_ID.id,
            "OS_APPLICATION_CREDENTIAL_SECRET": BY_ID.secret.reveal(),
        }
    )
    assert sources.of("env:").read() == BY_ID
    assert sources.of("env:").read() == BY_ID


@pytest.mark.parametrize(
    ("words", "good"),
    [
        ("env:", True),
        ("/a/b", True),
        ("a/b", False),
        ("~/a", False),
        ("", False),
        ("env:X", False),
        ("/a\0b", False),
    ],
)
def test_what_names_a_source(words: str, good: bool):
    assert good is is_source(words)
