"""Our own socket: right from the first instant, never a stolen one, nothing left behind."""

import contextlib
import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.callers.listeners import unix_listener
from broker.core.errors import ConfigError

root = pytest.mark.skipif(os.geteuid() != 0, reason="giving files to another group needs root")


@contextlib.contextmanager
def umask(value: int) -> Iterator[None]:
    """The umask of a hostile environment; on the way out it must still be there."""
    before = os.umask(value)
    try:
        yield
    finally:
        assert os.umask(before) == value


@contextlib.contextmanager
def foreign(path: Path) -> Iterator[socket.socket]:
    """Somebody else's listening socket."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        yield server


def connects(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.connect(str(path))
        except ConnectionRefusedError:
            return False
        return True


def refused(path: Path, mode: int = 0o600, group: str | None = None) -> str:
    with pytest.raises(ConfigError) as caught, unix_listener(path, mode, group):
        pass
    return str(caught.value)


class Watcher(socket.socket):
    """A socket that notes its file's mode and group right after `bind` and right before `listen`."""

    seen: list[tuple[str, int, int]]

    def bind(self, address) -> None:
        super().bind(address)
        self._note("bind")

    def listen(self, *backlog: int) -> None:
        self._note("listen")
        super().listen(*backlog)

    def _note(self, when: str) -> None:
        found = Path(self.getsockname()).lstat()
        self.seen.append((when, stat.S_IMODE(found.st_mode), found.st_gid))


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int, int]]:
    seen: list[tuple[str, int, int]] = []
    monkeypatch.setattr(Watcher, "seen", seen, raising=False)
    monkeypatch.setattr(socket, "socket", Watcher)
    return seen


@pytest.mark.parametrize("hostile", [0o077, 0, 0o777])
@pytest.mark.parametrize("mode", [0o600, 0o660, 0o666])
def test_the_mode_is_right_from_the_first_instant(tmp_path: Path, watched, mode: int, hostile: int):
    with umask(hostile), unix_listener(tmp_path / "s", mode):
        assert stat.S_IMODE((tmp_path / "s").stat().st_mode) == mode
    assert [(when, found) for when, found, _ in watched] == [("bind", mode), ("listen", mode)]


@root
def test_the_group_is_set_before_anybody_can_connect(tmp_path: Path, watched):
    with unix_listener(tmp_path / "s", 0o660, "54321"):
        pass
    assert watched[-1] == ("listen", 0o660, 54321)


def test_a_group_that_is_not_there_is_named_and_leaves_no_file(tmp_path: Path):
    told = "/s: cannot be given to the group no-such-group; name a group of this host that the broker's user is in"
    assert refused(tmp_path / "s", group="no-such-group") == f"{tmp_path}{told}"
    assert not os.path.lexists(tmp_path / "s")


@pytest.mark.parametrize("hostile", [0o077, 0, 0o777])
def test_a_missing_folder_is_made_for_all_to_enter_and_none_to_write(tmp_path: Path, hostile: int):
    """Above it too: parents made under an open umask would let anybody swap the folder."""
    with umask(hostile), unix_listener(tmp_path / "a/b/s", 0o666):
        for folder in (tmp_path / "a", tmp_path / "a/b"):
            assert stat.S_IMODE(folder.stat().st_mode) == 0o755


def test_the_umask_is_restored_when_the_binding_fails(tmp_path: Path):
    with umask(0o031):
        assert "cannot listen there" in refused(tmp_path / ("x" * 200))


def test_a_path_that_no_socket_can_have_is_one_sentence(tmp_path: Path):
    told = refused(tmp_path / ("x" * 200))
    assert told.endswith(
        "cannot listen there (AF_UNIX path too long); choose a folder that this user may write"
    )


def test_a_live_owner_is_not_robbed(tmp_path: Path):
    with unix_listener(tmp_path / "s", 0o600):
        told = "/s: belongs to a broker that is running; stop that one or choose another path"
        assert refused(tmp_path / "s") == f"{tmp_path}{told}"
        assert connects(tmp_path / "s")


def test_an_owner_too_busy_to_accept_is_alive(tmp_path: Path):
    with socket.socket(socket.AF_UNIX) as server, contextlib.ExitStack() as stack:
        server.bind(str(tmp_path / "s"))
        server.listen(0)
        with contextlib.suppress(BlockingIOError):
            while True:
                client = stack.enter_context(socket.socket(socket.AF_UNIX))
                client.setblocking(False)
                client.connect(str(tmp_path / "s"))
        assert "belongs to a broker that is running" in refused(tmp_path / "s")
        assert stat.S_ISSOCK((tmp_path / "s").lstat().st_mode)


def test_what_a_crash_left_is_replaced(tmp_path: Path):
    with foreign(tmp_path / "s"):
        pass
    assert not connects(tmp_path / "s")
    with unix_listener(tmp_path / "s", 0o600):
        assert connects(tmp_path / "s")


@pytest.mark.parametrize("kind", ["file", "folder", "link", "link to nowhere", "fifo"])
def test_what_is_no_socket_is_refused_and_left_alone(tmp_path: Path, kind: str):
    path = tmp_path / "s"
    (tmp_path / "other").write_text("precious")
    match kind:
        case "file":
            path.write_text("precious")
        case "folder":
            path.mkdir()
        case "link":
            path.symlink_to(tmp_path / "other")
        case "link to nowhere":
            path.symlink_to(tmp_path / "nowhere")
        case "fifo":
            os.mkfifo(path)
    before = path.lstat()
    told = "is there already and is no socket; remove it or choose another path"
    assert refused(path) == f"{path}: {told}"
    after = path.lstat()
    assert (after.st_ino, after.st_mode, after.st_mtime_ns) == (
        before.st_ino,
        before.st_mode,
        before.st_mtime_ns,
    )
    assert (tmp_path / "other").read_text() == "precious"
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("error", [None, ZeroDivisionError])
def test_the_file_goes_at_the_end_whatever_the_end_is(tmp_path: Path, error: type[Exception] | None):
    with contextlib.suppress(ZeroDivisionError), unix_listener(tmp_path / "s", 0o600):
        if error:
            raise error
    assert list(tmp_path.iterdir()) == []


def test_the_file_stays_when_somebody_elses_has_taken_its_place(tmp_path: Path):
    """Also when ours was closed first, as an HTTP server does: its inode's number is then free to be used again."""
    path = tmp_path / "s"
    with contextlib.ExitStack() as stack:
        with unix_listener(path, 0o600) as listener:
            listener.close()
            path.unlink()
            stack.enter_context(foreign(path))
        assert connects(path)


def test_a_file_or_folder_that_is_gone_at_the_end_hurts_nobody(tmp_path: Path):
    with unix_listener(tmp_path / "a/s", 0o600):
        (tmp_path / "a/s").unlink()
        (tmp_path / "a").rmdir()
    assert list(tmp_path.iterdir()) == []


def test_no_descriptor_is_left_open(tmp_path: Path):
    before = len(list(Path("/proc/self/fd").iterdir()))
    with unix_listener(tmp_path / "s", 0o600):
        refused(tmp_path / "s")
    refused(tmp_path)
    assert len(list(Path("/proc/self/fd").iterdir())) == before
