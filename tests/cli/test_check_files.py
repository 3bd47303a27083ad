"""What `broker check` says of token files, and `broker status` of what became of them."""

from pathlib import Path

import pytest

from broker.cli.status import render
from tests.app.whole import key_folder
from tests.cli.command import Ended, broker


async def checked(folder: Path, *lines: str) -> Ended:
    key_folder(folder / "keys", "an-id", "a-secret")
    config = folder / "broker.toml"
    files = "\n".join(f"[[files]]\n{line}" for line in lines)
    config.write_text(
        f'[identities.default]\nkeys = ["{folder}/keys"]\n[[listen]]\nunix = "{folder}/s"\n{files}\n'
    )
    ended = await broker("check", "--config", str(config), STATE_DIRECTORY=str(folder / "state"))
    return Ended(ended.code, ended.out.replace(str(folder), "F"), ended.err.replace(str(folder), "F"))


async def test_good_files_are_in_the_summary(tmp_path: Path):
    ended = await checked(
        tmp_path,
        f'path = "{tmp_path}/t"\non_change = ["true", "a b"]',
        f'path = "{tmp_path}/u"\nmode = "0640"\ngroup = 0',
    )
    assert (ended.code, ended.err) == (0, "")
    assert "Token files:\n" in ended.out
    assert "  F/t: default as text, mode 0600; on change: true 'a b'\n" in ended.out
    assert "  F/u: default as text, mode 0640, group 0\n" in ended.out


async def test_each_problem_is_a_line_with_its_remedy(tmp_path: Path):
    (tmp_path / "template").write_text("{{ nothing }}")
    (tmp_path / "state").mkdir(0o700)
    (tmp_path / "link").symlink_to("state")
    ended = await checked(
        tmp_path,
        f'path = "{tmp_path}/no/t"',
        f'path = "{tmp_path}/t"\ntemplate = "{tmp_path}/template"\non_change = ["no-such-program"]',
        f'path = "{tmp_path}/link/t"',
        f'path = "{tmp_path}/state/../link/u"',
    )
    assert ended.code == 78, "lexical problems alone stop a start"
    ended = await checked_again(tmp_path)
    lines = ended.err.splitlines()
    assert [line.partition(": ")[2].partition(": ")[0] for line in lines] == [
        f"{tmp_path}/broker.toml, files[2].path",
        f"{tmp_path}/broker.toml, files[0]",
        f"{tmp_path}/broker.toml, files[1].template",
        f"{tmp_path}/broker.toml, files[1].on_change",
    ]
    assert all("; " in line for line in lines)


async def checked_again(folder: Path) -> Ended:
    config = folder / "broker.toml"
    config.write_text(config.read_text().rpartition("[[files]]")[0])
    ended = await broker("check", "--config", str(config), STATE_DIRECTORY=str(folder / "state"))
    return Ended(ended.code, ended.out, ended.err)


@pytest.mark.parametrize(("mode", "doubts"), [(0o777, 1), (0o1777, 0), (0o775, 0)])
async def test_a_folder_where_everybody_may_replace_it_is_worth_a_word(
    tmp_path: Path, mode: int, doubts: int
):
    folder = tmp_path / "folder"
    folder.mkdir()
    folder.chmod(mode)
    ended = await checked(tmp_path, f'path = "{folder}/t"')
    what = "files[0].path: whoever can write to F/folder can put another file in its place; run: chmod o-w F/folder"
    assert (ended.code, ended.err.count(what)) == (0, doubts)


def row(**file: object) -> dict[str, object]:
    shown = {"path": "/t", "state": "current", "written_at": None, "detail": None, "on_change": None, **file}
    return {
        "identity": "default", "state": "fresh", "stale": False, "degraded": ["sink_failed"], "expires_in": 60,
        "project": None, "roles": [], "key": "k", "last_fault": None, "next_try": None, "files": [shown],
    }  # fmt: skip


def test_status_has_a_sentence_for_each_file_and_command_in_trouble():
    assert render([row()]).count("\n") == 1
    ran = {"running": False, "at": None, "exit_code": 1, "detail": "it failed; run it by hand"}
    shown = render([row(detail="it is full; make\x1b[31m room", on_change=ran)])
    assert shown.splitlines()[2:] == [
        "default: it is full; make?[31m room",
        "default: it failed; run it by hand",
    ]
    assert "(sink_failed)" in shown


def test_status_of_a_broker_without_files_is_as_it_was():
    old = row()
    del old["files"]
    assert render([old]).count("\n") == 1
