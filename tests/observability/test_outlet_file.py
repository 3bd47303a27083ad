"""The audit trail in a file: ours alone, rotated under us, on disks that fill, and never half a line before another."""

import errno
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.core.errors import ConfigError
from broker.observability.to_file import ToFile
from tests.observability.trail import numbered, parsed

NOBODY = 65534
ROOT = Path(__file__).parents[2]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit.log"


@pytest.fixture
def sink(path: Path) -> Iterator[ToFile]:
    sink = ToFile(path)
    yield sink
    sink.close()


def numbers(path: Path) -> list[int]:
    return [line["number"] for line in parsed(path.read_bytes())]


def problem(path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        ToFile(path)
    return str(caught.value).replace(str(path.parent), "D")


@pytest.mark.parametrize("umask", [0o777, 0o000, 0o077])
def test_it_is_ours_alone_whatever_the_umask(path: Path, umask: int):
    before = os.umask(umask)
    try:
        sink = ToFile(path)
        sink.write(numbered(1))
        path.rename(path.with_suffix(".1"))
        sink.write(numbered(2))
    finally:
        os.umask(before)
    sink.close()
    assert [each.stat().st_mode & 0o777 for each in (path, path.with_suffix(".1"))] == [0o600, 0o600]


def test_lines_are_appended_and_no_process_that_is_started_has_it(path: Path):
    path.write_bytes(numbered(1).line)
    path.chmod(0o640)
    sink = ToFile(path)
    sink.write(numbered(2))
    assert numbers(path) == [1, 2]
    assert path.stat().st_mode & 0o777 == 0o640, "an administrator may let a group read it"
    assert sink._stream
    assert not os.get_inheritable(sink._stream.descriptor)
    sink.close()


def test_when_it_is_moved_or_removed_a_new_one_is_begun(path: Path, sink: ToFile):
    sink.write(numbered(1))
    path.rename(path.with_suffix(".1"))
    sink.write(numbered(2))
    path.unlink()
    sink.write(numbered(3))
    # As logrotate does with `create`, and with `copytruncate`.
    path.rename(path.with_suffix(".2"))
    path.touch(0o600)
    sink.write(numbered(4))
    assert [numbers(path.with_suffix(suffix)) for suffix in (".1", ".2", ".log")] == [[1], [3], [4]]
    os.truncate(path, 0)
    sink.write(numbered(5))
    assert numbers(path) == [5]


def test_a_folder_that_goes_away_is_trouble_until_it_is_back(tmp_path: Path):
    folder = tmp_path / "logs"
    folder.mkdir()
    sink = ToFile(folder / "a")
    sink.write(numbered(1))
    folder.rename(tmp_path / "away")
    with pytest.raises(FileNotFoundError):
        sink.write(numbered(2))
    with pytest.raises(FileNotFoundError) as caught:
        sink.write(numbered(3))
    assert sink.remedy(caught.value) == f"create its folder: install -d -m 0700 -o {os.geteuid()} {folder}"
    folder.mkdir()
    sink.write(numbered(4))
    assert numbers(folder / "a") == [4]
    sink.close()


@pytest.mark.parametrize("left", [b'{"number":1}\n{"numb', b"x"])
def test_what_a_broker_that_was_killed_has_left_of_a_line_stands_alone(path: Path, left: bytes):
    path.write_bytes(left)
    sink = ToFile(path)
    sink.write(numbered(2))
    sink.write(numbered(3))
    sink.close()
    assert path.read_bytes() == left + b"\n" + numbered(2).line + numbered(3).line


def test_a_device_that_is_full_says_so_and_holds_no_descriptor(path: Path):
    opened: list[int] = []

    def full(_path: Path) -> int:
        opened.append(os.open("/dev/full", os.O_RDWR))
        return opened[-1]

    device = Path("/dev/full")
    sink = ToFile(device, full)
    with pytest.raises(OSError, match="No space left"):
        sink.write(numbered(1))
    with pytest.raises(OSError, match="No space left") as caught:
        sink.write(numbered(2))
    assert len(opened) == 1
    assert sink.remedy(caught.value) == "make room on its disk"
    sink.close()
    assert ToFile(path, lambda _: raised(errno.ENOSPC))._stream is None, "a full disk is trouble, no mistake"


def raised(number: int) -> int:
    raise OSError(number, os.strerror(number))


def test_a_missing_folder_a_link_a_folder_and_a_pipe_are_mistakes_each_with_its_remedy(tmp_path: Path):
    create = f"create its folder: install -d -m 0700 -o {os.geteuid()} D"
    assert (
        problem(tmp_path / "no" / "a")
        == f"log.audit: D/a cannot be written (no such file or directory); {create}"
    )
    (tmp_path / "link").symlink_to(tmp_path / "target")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "fifo")
    regular = "name a regular file, no link, folder or device"
    assert problem(tmp_path / "link") == (
        f"log.audit: D/link cannot be written (too many levels of symbolic links); {regular}"
    )
    assert (
        problem(tmp_path / "folder") == f"log.audit: D/folder cannot be written (is a directory); {regular}"
    )
    assert (
        problem(tmp_path / "fifo")
        == f"log.audit: D/fifo cannot be written (it is no regular file); {regular}"
    )
    assert not (tmp_path / "target").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_somebody_else_is_refused_at_the_start_and_after_a_rotation(path: Path, sink: ToFile):
    path.unlink()
    path.touch(0o666)
    os.chown(path, NOBODY, NOBODY)
    with pytest.raises(PermissionError):
        sink.write(numbered(1))
    assert path.read_bytes() == b""
    assert problem(path) == (
        f"log.audit: D/audit.log cannot be written (it belongs to uid {NOBODY}); let uid 0 write it and D, and own it"
    ).replace("and D,", f"and {path.parent},").replace(str(path.parent), "D")


def test_no_descriptor_is_left_by_what_was_refused(tmp_path: Path):
    os.mkfifo(tmp_path / "fifo")
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        problem(tmp_path / "fifo")
    assert len(list(Path("/proc/self/fd").iterdir())) == before


FILLING = """
import json, os, sys
from pathlib import Path
from broker.observability.to_file import ToFile
from tests.observability.trail import numbered
path, more = Path(sys.argv[1]), Path(sys.argv[1] + ".more")
sink, failed, written = ToFile(path), [], []
def write(number):
    try:
        sink.write(numbered(number))
        written.append(number)
    except OSError as error:
        failed.append(error.errno)
number = 0
while len(failed) < 3:
    number += 1
    write(number)
torn = not path.read_bytes().endswith(b"\\n")
GIVE
write(number + 1)
write(number + 2)
print(json.dumps([failed, written, torn, path.read_text()]))
"""


def filled(path: Path, give: str, *prefix: str, before: str = "") -> None:
    """Lines are written to where they fail, some more, then there is room again."""
    program = before + FILLING.replace("GIVE", give)
    command = (*prefix, sys.executable, "-c", program, str(path))
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    failed, written, torn, text = json.loads(done.stdout)
    assert set(failed) <= {errno.ENOSPC, errno.EFBIG}
    assert torn, "the test is about half a line"
    lines = text.splitlines()
    whole = [json.loads(line)["number"] for line in lines if line.endswith("}")]
    assert whole == written
    assert len(lines) == len(written) + 1
    assert written[-1] - written[-3] == 5, "the three that failed, and no other, are missing"


def test_half_a_line_of_a_file_that_may_not_grow_stands_alone(path: Path):
    limit = "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (5000, resource.RLIM_INFINITY))\n"
    filled(path, "resource.setrlimit(resource.RLIMIT_FSIZE, (10000, resource.RLIM_INFINITY))", before=limit)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
def test_half_a_line_on_a_disk_that_is_full_stands_alone(tmp_path: Path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = f'mount -t tmpfs -o size=16k none {disk} && head -c 5000 /dev/zero > {disk}/other && exec "$@"'
    tried = subprocess.run(("unshare", "--mount", "true"), capture_output=True, check=False, timeout=20)
    if tried.returncode:
        pytest.skip("this host forbids new mount namespaces")
    filled(
        disk / "audit.log",
        f"os.unlink('{disk}/other')",
        *("unshare", "--mount", "sh", "-c", mount, "sh"),
    )


@pytest.mark.parametrize("number", [errno.EFBIG, errno.EIO, errno.EACCES])
def test_each_trouble_has_its_remedy(sink: ToFile, path: Path, number: int):
    assert (
        sink.remedy(OSError(number, ""))
        == {
            errno.EFBIG: "rotate it, or raise the limit on the size of files",
            errno.EIO: "check its disk",
            errno.EACCES: f"let uid {os.geteuid()} write it and {path.parent}, and own it",
        }[number]
    )
