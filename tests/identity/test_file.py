"""One file with all fields."""

import os
from pathlib import Path

import pytest

from broker.core.errors import ConfigError
from broker.identity import file, opening
from tests.identity.keys import BY_ID, BY_NAME, ID_FIELDS, NAME_FIELDS, SECRET, refusal, written

KNOWN = "a key has `id` and `secret`, or `name`, `user_id` and `secret`"


@pytest.mark.parametrize("suffix", [".toml", ".json"])
def test_both_kinds_and_both_methods_are_read(tmp_path: Path, suffix: str):
    assert file.read(written(tmp_path / f"a{suffix}", ID_FIELDS)) == BY_ID
    assert file.read(written(tmp_path / f"b{suffix}", NAME_FIELDS)) == BY_NAME


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("k.toml", f'id = "x"\n{SECRET}\n', ": is not TOML (line 2); correct the TOML"),
        ("k.toml", f"[{SECRET}]\n[{SECRET}]\n", ": is not TOML (line 2); correct the TOML"),
        ("k.toml", f'id = "{SECRET}', ": is not TOML; correct the TOML"),
        ("k.json", f'{{"id": "x",\n {SECRET}}}', ": is not JSON (line 2); correct the JSON"),
        ("k.json", "[" * 60_000, ": is not JSON; correct the JSON"),
        ("k.json", f'["{SECRET}"]', f": is not a JSON object; {KNOWN}"),
        ("k.json", '{"id": 1, "secret": "x"}', ", id: is not text; put the value in quotes"),
        (
            "k.toml",
            'id = "x"\nsecret = "x"\naccess_key = "x"\n',
            f": has the unknown field `access_key`; {KNOWN}",
        ),
        (
            "k.toml",
            f'id = "x"\nsecret = "x"\n"{SECRET}" = "x"\n',
            f": has the unknown field with a name too odd to show; {KNOWN}",
        ),
        ("k.yaml", "", ": is neither a directory nor named *.toml or *.json; rename the file"),
    ],
)
def test_what_is_wrong_is_told_without_a_value(tmp_path: Path, name: str, content: str, told: str):
    path = tmp_path / name
    path.write_text(content)
    path.chmod(0o600)
    assert [told] == refusal(lambda: file.read(path), path)


@pytest.mark.parametrize("size", [64 * 1024 + 1, 10 * 1024 * 1024])
def test_a_large_file_is_not_read(tmp_path: Path, size: int):
    path = tmp_path / "k.json"
    path.touch(mode=0o600)
    os.truncate(path, size)
    told = ": is larger than 64 KiB; name the file of an access key"
    assert [told] == refusal(lambda: file.read(path), path)


@pytest.mark.parametrize("name", ["k.json", "directory"])
def test_a_file_is_missing(tmp_path: Path, name: str):
    told = ": does not exist; create it or correct the path"
    assert [told] == refusal(lambda: file.read(tmp_path / name), tmp_path / name)


def test_bytes_that_are_no_text(tmp_path: Path):
    path = tmp_path / "k.json"
    path.write_bytes(b'{"id": "\xff", "secret": "x"}')
    path.chmod(0o600)
    told = ", id: holds a character that cannot be printed; write the value alone: no quotes, spaces or further lines"
    assert [told] == refusal(lambda: file.read(path), path)


def test_the_buffer_that_a_file_was_read_into_is_overwritten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    buffers: list[bytearray] = []

    def noted(buffer: bytearray, descriptor: int) -> int:
        length = filled(buffer, descriptor)
        assert SECRET.encode() in buffer
        buffers.append(buffer)
        return length

    filled = opening._fill
    monkeypatch.setattr(opening, "_fill", noted)
    assert file.read(written(tmp_path / "k.toml", ID_FIELDS)) == BY_ID
    (buffer,) = buffers
    assert not any(buffer)


@pytest.mark.parametrize("content", [f'id = "x"\n{SECRET}\n', f'{{"id": "{SECRET}'])
def test_no_chain_of_errors_leads_to_what_was_read(tmp_path: Path, content: str):
    """A parser's error has the whole text in it, and tools walk contexts that `from None` only hides."""
    for suffix in (".toml", ".json"):
        path = tmp_path / f"k{suffix}"
        path.write_text(content)
        path.chmod(0o600)
        with pytest.raises(ConfigError) as caught:
            file.read(path)
        assert caught.value.__context__ is None
