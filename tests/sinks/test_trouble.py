"""Each trouble with a token file is one sentence: what is wrong, and what to do."""

import errno
import os
from pathlib import Path

import pytest

from broker.sinks.folder import ForeignLink
from broker.sinks.trouble import TAKEN, Emptied, Misplaced, late, unremoved, unwritten
from tests.sinks.kept import token_file

PLAIN = token_file(Path("/f o/t"))
GIVEN = token_file(Path("/f o/t"), uid=1)
UID = os.geteuid()


def error(number: int) -> OSError:
    return OSError(number, os.strerror(number))


@pytest.mark.parametrize(
    ("file", "why", "told"),
    [
        (
            PLAIN,
            error(errno.ENOENT),
            f"(no such file or directory); create its folder: install -d -m 0750 -o {UID} '/f o'",
        ),
        (PLAIN, error(errno.ENOSPC), "(no space left on device); make room on its disk"),
        (PLAIN, error(errno.EDQUOT), "(disk quota exceeded); make room on its disk"),
        (PLAIN, error(errno.EROFS), "(read-only file system); mount '/f o' so that it can be written"),
        (
            PLAIN,
            error(errno.EACCES),
            f"(permission denied); let uid {UID} write '/f o', and remove what another user may have put in its place",
        ),
        (
            GIVEN,
            error(errno.EPERM),
            (
                f"(operation not permitted); only root may give files away: let uid {UID} be in the group, or leave "
                "`owner` out, or run the broker as root"
            ),
        ),
        (
            GIVEN,
            error(errno.EINVAL),
            "(invalid argument); `owner` or `group` has no number in this container's user namespace; name others",
        ),
        (
            PLAIN,
            error(errno.ELOOP),
            "(too many levels of symbolic links); name its folder without links in `path`",
        ),
        (
            PLAIN,
            ForeignLink("the link x", 7),
            "(the link x on the way belongs to uid 7); name its folder without links in `path`",
        ),
        (PLAIN, error(errno.EIO), "(input/output error); check its disk"),
        (PLAIN, OSError("odd"), "(unknown error); check its disk"),
    ],
)
def test_what_keeps_a_file_from_being_written(file, why: OSError, told: str):
    assert unwritten(file, why) == f"/f o/t cannot be written {told}"


def test_what_stands_in_its_place():
    assert unwritten(PLAIN, Misplaced(TAKEN)) == "/f o/t is a folder; name a file inside it as `path`"


def test_what_keeps_a_file_from_being_removed():
    why = error(errno.EROFS)
    remedy = "(read-only file system); mount '/f o' so that it can be written"
    assert unremoved(PLAIN, why) == f"/f o/t cannot be removed, and may hold a token that has ended {remedy}"
    assert unremoved(PLAIN, Emptied(why)) == f"/f o/t could not be removed, and was emptied {remedy}"


def test_a_disk_that_hangs():
    assert (
        late(PLAIN, 5.0) == "/f o/t is not done with after 5 s, its disk hangs; check the disk and its mount"
    )
