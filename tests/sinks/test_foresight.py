"""What `broker check` sees of a token file before the broker starts, in the words of the broker that runs."""

import os
from pathlib import Path

import pytest

from broker.sinks import foresight
from tests.callers.folders import open_folder
from tests.sinks.kept import token_file

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
STRANGER = 12345


def told(path: Path, **more: object) -> list[str]:
    found = [str(problem) for problem in foresight.problems(token_file(path, **more), "files[0]")]
    return [line.replace(str(path.parent), "F") for line in found]


def test_of_a_file_that_can_be_written_nothing_is_told_and_nothing_is_made(tmp_path: Path):
    (tmp_path / "template").write_text("{% for s in catalog if s.type == 'compute' %}{{ token }}{% endfor %}")
    assert told(tmp_path / "t", template=tmp_path / "template", on_change=("true", "x")) == []
    assert os.listdir(tmp_path) == ["template"]  # noqa: PTH208


def test_each_problem_is_told_with_its_place(tmp_path: Path):
    (tmp_path / "template").write_text("{{ nothing }}")
    lines = told(tmp_path / "no" / "t", template=tmp_path / "template", on_change=("no-such-program",))
    assert lines == [
        f"files[0]: F/t cannot be written (no such file or directory); create its folder: install -d -m 0750 -o {os.geteuid()} F",
        f"files[0].template: the template {tmp_path}/template of F/t cannot be filled in (line 1: 'nothing' is undefined); correct that line",
        f"files[0].on_change: no-such-program is no program that uid {os.geteuid()} can run; install it, or give its absolute path",
    ]


def test_what_is_in_its_place_is_told(tmp_path: Path):
    (tmp_path / "t").touch(0o600)
    assert told(tmp_path / "t") == [], "it may be ours"
    (tmp_path / "t").chmod(0o644)
    assert "no broker has written it" in told(tmp_path / "t")[0]


@AS_ROOT
def test_what_another_user_could_not_do_is_told():
    with open_folder() as folder:
        os.seteuid(STRANGER)
        try:
            assert told(folder / "t") == [
                (
                    f"files[0]: F/t cannot be written (permission denied); let uid {STRANGER} write F, "
                    "and remove what another user may have put in its place"
                )
            ]
            os.seteuid(0)
            folder.chmod(0o777)
            os.seteuid(STRANGER)
            assert told(folder / "t", uid=STRANGER) == []
            assert "only root may give files away" in told(folder / "t", uid=1)[0]
            assert "only root may give files away" in told(folder / "t", gid=54321)[0]
        finally:
            os.seteuid(0)
