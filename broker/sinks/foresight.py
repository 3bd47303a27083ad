"""What would keep a token file from being written, seen beforehand, for `broker check`; makes nothing, and blocks on the disk.

It sees what its own user could do, so that it is right only for the user who runs the broker.
"""

import errno
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from broker.core.errors import Problem
from broker.core.model import Named, Token
from broker.core.secret import Secret
from broker.sinks import command, disk
from broker.sinks.content import content
from broker.sinks.folder import opened
from broker.sinks.token_file import SinkError, TokenFile
from broker.sinks.trouble import unwritten

_CAP_CHOWN = 0
_PUBLIC = {
    "interface": "public",
    "region": "sample",
    "region_id": "sample",
    "url": "https://sample.invalid/v1",
}
# What a template may look for; IAM's own list may have others.
_TYPES = ("compute", "identity", "image", "load-balancer", "network", "object-store", "volumev3")
_SAMPLE = Token(
    value=Secret("gAAAAA-no-token-but-a-sample"),
    digest="0" * 64,
    issued_at="2026-01-01T00:00:00.000000Z",
    expires_at="2026-01-01T12:00:00.000000Z",
    user=Named("0" * 32, "sample-user"),
    project=Named("0" * 32, "sample-project"),
    roles=(Named("0" * 32, "member"),),
    key_expires_at=None,
    body=json.dumps(
        {"token": {"catalog": [{"type": kind, "name": kind, "endpoints": [_PUBLIC]} for kind in _TYPES]}}
    ).encode(),
)


def problems(file: TokenFile, where: str) -> Iterator[Problem]:
    """Each problem; `where` says where the file stands in the settings."""
    try:
        _could_write(file)
    except OSError as error:
        yield _problem(where, unwritten(file, error))
    try:
        content(file, _SAMPLE)
    except SinkError as error:
        yield _problem(f"{where}.template", str(error))
    if (
        file.on_change
        and shutil.which(file.on_change[0], path=command.variables(file, os.environ)["PATH"]) is None
    ):
        what = f"{file.on_change[0]} is no program that uid {os.geteuid()} can run"
        yield Problem(f"{where}.on_change", what, "install it, or give its absolute path")


def _could_write(file: TokenFile) -> None:
    """Raise the OSError that writing would."""
    with opened(file.path.parent) as within:
        disk.judge(file, disk.status_of(file.path.name, within), None)
        if os.fstatvfs(within).f_flag & os.ST_RDONLY:
            raise _error(errno.EROFS)
        if not os.access(f"/proc/self/fd/{within}", os.W_OK | os.X_OK, effective_ids=True):
            raise _error(errno.EACCES)
    foreign_user = file.uid not in {None, os.geteuid()}
    foreign_group = file.gid not in {None, os.getegid(), *os.getgroups()}
    if (foreign_user or foreign_group) and not _may_give():
        raise _error(errno.EPERM)


def _may_give() -> bool:
    """Whether this process may give files to others; root of a container often may not."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return os.geteuid() == 0
    held = next((line.split()[1] for line in lines if line.startswith("CapEff:")), "0")
    return bool(int(held, 16) >> _CAP_CHOWN & 1)


def _error(number: int) -> OSError:
    return OSError(number, os.strerror(number))


def _problem(where: str, sentence: str) -> Problem:
    what, _, remedy = sentence.partition("; ")
    return Problem(where, what, remedy)
