"""Modes that give a secret away are refused, with the command that mends them."""

import os
import shlex
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from broker.identity import directory, file
from broker.identity.modes import directory_problem, file_problem
from tests.identity.keys import BY_ID, ID_FIELDS, folder, refusal, volume, written

root = pytest.mark.skipif(os.geteuid() != 0, reason="giving files to other users needs root")
ALL = "can be read by every user of this host"


@pytest.mark.parametrize(
    ("mode", "told"),
    [
        (0o644, f"/secret: {ALL}; run: chmod 0600 /secret"),
        (0o444, f"/secret: {ALL}; run: chmod 0400 /secret"),
        (0o602, "/secret: can be written by every user of this host; run: chmod 0600 /secret"),
    ],
)
def test_the_command_that_is_told_mends_it(tmp_path: Path, mode: int, told: str):
    path = folder(tmp_path / "k", ID_FIELDS)
    os.chown(path / "secret", os.geteuid(), 12345) if os.geteuid() == 0 else None
    (path / "secret").chmod(mode)
    sentence = refusal(lambda: directory.read(path))[0]
    assert told == sentence.replace(str(path), "")
    subprocess.run(shlex.split(sentence.partition("run: ")[2]), check=True)
    assert directory.read(path) == BY_ID


def test_an_id_may_be_read_by_all_but_written_by_none(tmp_path: Path):
    path = folder(tmp_path / "k", ID_FIELDS)
    (path / "id").chmod(0o644)
    assert directory.read(path) == BY_ID
    (path / "id").chmod(0o666)
    told = "/id: can be written by every user of this host; run: chmod 0664 "
    assert refusal(lambda: directory.read(path), path)[0].startswith(told)


def test_a_volume_is_mended_where_it_is_declared(tmp_path: Path):
    path = volume(tmp_path / "v", ID_FIELDS, mode=0o644)
    told = f"/secret: {ALL}; set `defaultMode: 0440` on the volume, and `fsGroup` to a group of the broker"
    assert [told] == refusal(lambda: directory.read(path), path)


def test_a_file_of_all_fields_is_a_secret(tmp_path: Path):
    path = written(tmp_path / "k.json", ID_FIELDS, mode=0o604)
    assert [f"/k.json: {ALL}; run: chmod 0600 /k.json"] == refusal(lambda: file.read(path), tmp_path)


def test_a_path_is_quoted_for_the_shell(tmp_path: Path):
    path = written(tmp_path / "my key.json", ID_FIELDS, mode=0o604)
    assert f"chmod 0600 '{path}'" in refusal(lambda: file.read(path))[0]


def status(mode: int, uid: int, gid: int) -> os.stat_result:
    return os.stat_result((stat.S_IFREG | mode, 1, 1, 1, uid, gid, 1, 0, 0, 0))


@pytest.mark.parametrize(
    ("mode", "uid", "gid", "accepted"),
    [
        (0o440, 0, os.getegid(), True),  # Kubernetes with fsGroup
        (0o440, 0, 0, True),  # systemd with User=: the mask of an access list shows as the group's mode
        (0o640, 0, 54321, False),  # root gave it to somebody else's group
        (0o440, 54321, os.getegid(), False),  # not root's to give
        (0o400, 54321, 54321, True),
        (0o060, 54321, 54321, False),
        (0o020, 54321, 54321, True),  # a group that may write was trusted by the owner
    ],
)
def test_a_group_may_read_what_root_gave_to_ours(mode: int, uid: int, gid: int, accepted: bool):
    problem = file_problem(status(mode, uid, gid), "f", secret=True, projected=False)
    assert accepted is (problem is None)


@root
def test_the_group_is_judged_on_real_files(tmp_path: Path):
    path = folder(tmp_path / "k", ID_FIELDS, mode=0o440)
    os.chown(path / "secret", 0, 54321)
    told = "/secret: can be read by the group 54321; run: chmod 0400 /secret"
    assert [told] == refusal(lambda: directory.read(path), path)
    os.chown(path / "secret", 0, os.getegid())
    assert directory.read(path) == BY_ID


def test_a_directory_that_all_may_write_is_refused(tmp_path: Path):
    path = folder(tmp_path / "k", ID_FIELDS)
    path.chmod(0o777)
    told = "/k: can be written by every user of this host; run: chmod 0775 /k"
    assert [told] == refusal(lambda: directory.read(path), tmp_path)


def test_a_read_only_mount_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Kubernetes mounts a Secret read-only, with the directory's mode 1777."""
    tmp_path.chmod(0o1777)
    descriptor = os.open(tmp_path, os.O_PATH)
    assert directory_problem(descriptor, "d") is not None
    real = list(os.fstatvfs(descriptor))
    monkeypatch.setattr(os, "fstatvfs", lambda _: os.statvfs_result([*real[:8], os.ST_RDONLY, *real[9:]]))
    assert directory_problem(descriptor, "d") is None
    os.close(descriptor)


READ_AS_STRANGER = """
import os, sys
from pathlib import Path
from broker.core.errors import ConfigError
from broker.identity.sources import Sources
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(54321)
    os.setuid(54321)
try:
    Sources({}).of(sys.argv[1]).read()
except ConfigError as error:
    print(error)
"""


@pytest.mark.parametrize("name", ["k", "k.json"])
def test_what_may_not_be_read_says_who_may_not(tmp_path: Path, name: str):
    """A child gives up root, when it has it, and reads a file that is not its own."""
    if name == "k":
        path = folder(tmp_path / name, ID_FIELDS, mode=0)
        path.chmod(0o711)  # the right to list is not needed
        where = f"{path}/id"
    else:
        path = written(tmp_path / name, ID_FIELDS, mode=0)
        where = str(path)
    above = path.parent
    while above.stat().st_uid == os.geteuid() and above != Path("/tmp"):  # noqa: S108
        above.chmod(above.stat().st_mode | 0o711)
        above = above.parent
    run = subprocess.run(
        [sys.executable, "-c", READ_AS_STRANGER, path],
        check=True,
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(Path.cwd())},
    )
    uid = 54321 if os.geteuid() == 0 else os.geteuid()
    told = f"{where}: may not be read by uid {uid}; let this user read it and enter every folder above it"
    assert told == run.stdout.splitlines()[0]
