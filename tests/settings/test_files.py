"""Token files as they are written: what is meant, what is refused, and where none may lie."""

from pathlib import Path
from typing import Any

import pytest

from broker.core.errors import ConfigError
from broker.files import token_files
from broker.settings import Settings, load, loading
from broker.settings.changes import compare, taken_over
from broker.settings.places import followed, place_problems
from broker.sinks.token_file import TokenFile

HEAD = '[identities.a]\nkeys = ["/keys/a"]\n[[listen]]\nunix = "/run/b/s"\n'


@pytest.fixture(autouse=True)
def no_standard_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(loading, "DEFAULT_FILE", tmp_path / "standard.toml")


def loaded(folder: Path, text: str, **environ: str) -> Settings:
    config = folder / "F"
    config.write_text(HEAD + text)
    return load(config, {"STATE_DIRECTORY": "/state", **environ})


def told(folder: Path, text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        loaded(folder, text)
    return [str(problem).replace(f"{folder}/F, ", "") for problem in caught.value.problems]


def only(settings: Settings) -> TokenFile:
    (file,) = token_files(settings)
    return file


def test_a_path_is_all_that_is_needed(tmp_path: Path):
    file = only(loaded(tmp_path, '[[files]]\npath = "//run/./t"\n'))
    url = "https://iam.kakaocloud.com/identity/v3"
    assert file == TokenFile(Path("/run/t"), "a", url, "text", None, 0o600, None, None)
    assert (file.keep, file.on_change, file.timeout) == (False, (), 30.0)


def test_all_that_can_be_said(tmp_path: Path):
    text = (
        '[[files]]\npath = "/t"\nidentity = "a"\ntemplate = "/x.j2"\nmode = "0640"\nowner = "root"\ngroup = 50\n'
        'keep = true\non_change = ["/bin/x", "a b", ""]\non_change_timeout = "2m"\n'
    )
    file = only(loaded(tmp_path, text))
    assert (file.template, file.mode, file.uid, file.gid, file.keep) == (Path("/x.j2"), 0o640, 0, 50, True)
    assert (file.on_change, file.timeout) == (("/bin/x", "a b", ""), 120.0)


def test_a_variable_gives_all_of_them(tmp_path: Path):
    environ = {"KAKAOCLOUD_BROKER_FILES": '[{"path": "/t", "format": "header"}]'}
    assert only(loaded(tmp_path, "", **environ)).form == "header"


@pytest.mark.parametrize(
    ("more", "identity"),
    [("", "a"), ('[identities.default]\nkeys = ["/d"]\n[identities.z]\nkeys = ["/z"]\n', "default")],
)
def test_where_none_is_named_it_is_the_usual_identity(tmp_path: Path, more: str, identity: str):
    assert only(loaded(tmp_path, more + '[[files]]\npath = "/t"\n')).identity == identity


def test_where_more_than_one_could_be_meant_it_has_to_be_said(tmp_path: Path):
    more = '[identities.z]\nkeys = ["/z"]\n[[files]]\npath = "/t"\n'
    whose = 'files[0]: does not say whose token the file holds; add identity = "...", one of those under [identities]'
    assert told(tmp_path, more) == [whose]


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ('path = "t"', "path: is not the absolute path of a file; begin with / and do not end with it"),
        (
            'path = "/a/../t"',
            "path: leads through `..`, so that it is not plain where it ends; write the path without ..",
        ),
        (f'path = "/{"x" * 201}"', "path: has a name of more than 200 bytes; choose a shorter one"),
        (
            'path = "/t"\nidentity = "nobody"',
            "identity: is no identity of this configuration; correct the name, or add [identities.NAME]",
        ),
        (
            'path = "/t"\nmode = "0644"',
            'mode: lets every user of this host at a token; name a `group` with its readers as members, and write "0640"',
        ),
        (
            'path = "/t"\nmode = "0060"',
            'mode: lets not even the owner read the file; write it like "0600", or "0640" for a group',
        ),
        ('path = "/t"\nmode = 600', 'mode: is a number; write the mode as text, like "0660"'),
        (
            'path = "/t"\nowner = "no-such-user"',
            "owner: is no user of this host; create the user, or give its name or number",
        ),
        (
            'path = "/t"\ngroup = "no-such-group"',
            "group: is no group of this host; create the group, or give its name or number",
        ),
        (
            'path = "/t"\nformat = "yaml"',
            "format: is not one of the words known here; choose 'text', 'json', 'env', 'header', 'openrc' or 'clouds.yaml'",
        ),
        (
            'path = "/t"\non_change = "reload"',
            "on_change: is not a list; write it in brackets, or as [[...]] where it holds tables",
        ),
        (
            'path = "/t"\non_change = []',
            'on_change: names no command; write it like ["systemctl", "reload", "nginx"], or leave it out',
        ),
        (
            'path = "/t"\non_change = ["./x"]',
            "on_change: names a program by a relative path; begin with /, or give its name alone",
        ),
        ('path = "/t"\non_change = ["x", "\\u0000"]', "on_change: holds a byte of zero; remove it"),
        ('path = "/t"\nkep = true', "kep: is not a known setting; did you mean `files[0].keep`?"),
    ],
)
def test_what_is_refused_is_told_with_its_line_and_remedy(tmp_path: Path, lines: str, problem: str):
    assert told(tmp_path, f"[[files]]\n{lines}\n") == [f"files[0].{problem}"]


def test_a_format_and_a_template_are_one_too_many(tmp_path: Path):
    text = '[[files]]\npath = "/t"\nformat = "text"\ntemplate = "/x"\n'
    assert told(tmp_path, text) == [
        "files[0]: names both a format and a template; keep `format` or keep `template`"
    ]


def test_two_files_with_one_path_are_one_too_many(tmp_path: Path):
    text = '[[files]]\npath = "/run/t"\n[[files]]\npath = "/run//t"\n'
    assert told(tmp_path, text) == [
        "files: writes two files to one path; keep one of the two, or change a path"
    ]


def test_there_are_not_more_files_than_threads_can_be(tmp_path: Path):
    text = "".join(f'[[files]]\npath = "/t{number}"\n' for number in range(257))
    assert told(tmp_path, text) == [
        "files: names more than 256 files; have some programs ask the broker instead"
    ]


@pytest.mark.parametrize(
    ("path", "more", "what"),
    [
        ("/keys/a/secret", "", "lies where the access keys of a are"),
        ("/keys/a", "", "lies where the access keys of a are"),
        ("/state/t", "", "lies in the folder of the cache"),
        ("/cache/x/t", '[cache]\npath = "/cache"\n', "lies in the folder of the cache"),
        ("/run/b/s", "", "is a socket of the broker"),
        ("/log/audit", '[log]\naudit = "/log/audit"\n', "is the audit trail"),
        ("/x.j2", '[[files]]\npath = "/t"\ntemplate = "/x.j2"\n', "is a template"),
    ],
)
def test_none_lies_on_what_the_broker_reads_or_keeps(tmp_path: Path, path: str, more: str, what: str):
    """What stands in its place would be replaced."""
    lines = told(tmp_path, f'{more}[[files]]\npath = "{path}"\n')
    index = more.count("[[files]]")
    assert lines == [f"files[{index}].path: {what}; choose another `path`, best in a folder of its own"]


def test_none_lies_on_the_settings_themselves(tmp_path: Path):
    assert told(tmp_path, f'[[files]]\npath = "{tmp_path}/F"\n')[0].startswith(
        "files[0].path: is the file of these"
    )


def test_beside_them_it_may_lie(tmp_path: Path):
    for path in ("/keys/ab", "/states/t", "/run/b/t"):
        loaded(tmp_path, f'[[files]]\npath = "{path}"\n')
    loaded(tmp_path, '[cache]\noff = true\n[[files]]\npath = "/state/t"\n')


def test_a_check_follows_links_first(tmp_path: Path):
    (tmp_path / "keys").mkdir()
    (tmp_path / "link").symlink_to("keys")
    tree = {
        "identities": {"a": {"keys": [str(tmp_path / "keys")]}},
        "listen": [{"unix": "/s"}],
        "files": [{"path": f"{tmp_path}/link/t"}, {"path": f"{tmp_path}/t"}],
    }
    settings = Settings.model_validate(tree)
    assert [*place_problems(settings, None, {})] == []
    lines = [str(problem) for problem in place_problems(settings, None, {}, real=followed)]
    assert lines == [
        "files[0].path: lies where the access keys of a are; choose another `path`, best in a folder of its own"
    ]


# -- SIGHUP

TREE: dict[str, Any] = {"identities": {"a": {"keys": ["/k"]}}, "listen": [{"unix": "/s"}]}


def test_files_are_taken_over_by_a_reload():
    old = Settings.model_validate({**TREE, "files": [{"path": "/t"}]})
    new = Settings.model_validate({**TREE, "files": [{"path": "/t", "mode": "0640"}, {"path": "/u"}]})
    assert compare(old, new).files
    assert [file.path.name for file in taken_over(old, new).files] == ["t", "u"]
    assert not compare(taken_over(old, new), new).files


def test_the_file_of_an_identity_that_waits_for_a_restart_waits_with_it():
    old = Settings.model_validate(TREE)
    identities = {**TREE["identities"], "b": {"keys": ["/l"]}}
    files = [{"path": "/t", "identity": "b"}, {"path": "/u", "identity": "a"}]
    new = Settings.model_validate(
        {**TREE, "identities": identities, "iam": {"url": "https://other.example/v3"}, "files": files}
    )
    assert compare(old, new).needs_restart == ("iam.url", "identities.b", "files[0]")
    assert [file.path.name for file in taken_over(old, new).files] == ["u"]
