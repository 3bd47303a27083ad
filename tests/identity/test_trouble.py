"""Errors of the system become sentences."""

import errno
import os

import pytest

from broker.identity.trouble import unopened


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (errno.ENOENT, "does not exist; create it or correct the path"),
        (
            errno.EACCES,
            f"may not be read by uid {os.geteuid()}; let this user read it and enter every folder above it",
        ),
        (errno.EISDIR, "is a directory; name a file"),
        (errno.ENOTDIR, "has a part that is no directory; correct the path"),
        (errno.ELOOP, "is a link that leads round in a circle; mend the link"),
        (errno.ENXIO, "is not a regular file; name a regular file"),
        (errno.EIO, "cannot be read (input/output error); check the file and its disk"),
        (None, "cannot be read (unknown error); check the file and its disk"),
    ],
)
def test_each_error_has_a_remedy(code: int | None, told: str):
    error = OSError() if code is None else OSError(code, "")
    assert str(unopened(error, "/f")) == f"/f: {told}"
