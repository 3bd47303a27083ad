"""`broker exec`: become a command that finds the broker by the variables which it knows.

- Nothing of this process stays: the command has its pid, its signals and its exit code.
- What keeps the command from being started is told as env(1) does: 125 here, 126 found but not to be executed, 127 not found.
- A command that could only fail, for want of the identity's client secret, is not started.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # `signal` is built on it, and takes milliseconds to load
import errno
import os
import sys

from broker.client import address, facade, fetch
from broker.client.aws_config import preferred_login
from broker.client.environment import environment
from broker.client.failures import ClientError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import NoReturn

CANNOT, NOT_EXECUTABLE, NOT_FOUND = 125, 126, 127
_TIMEOUT = 5.0  # seconds for a token
_SHELL = "/bin/sh"
_READ_BY_OTHERS = 0o004
_LONGEST = 1024  # characters of a client secret


class Unstarted(ClientError):
    """The command was not started."""

    exit_code = CANNOT


def execute(
    command: Sequence[str],
    *,
    identity: str | None = None,
    s3: bool = False,
    with_token: bool = False,
    client_secret_file: str | None = None,
) -> None:
    """Become the command, for this identity or the usual one: this returns only by Unstarted."""
    try:
        made = _environment(identity, s3, with_token, client_secret_file)
    except ClientError as error:
        raise Unstarted(str(error)) from None
    # This interpreter ignores them, and a command would inherit that: `| head` would not end it.
    for number in (_signal.SIGPIPE, _signal.SIGXFSZ):
        _signal.signal(number, _signal.SIG_DFL)
    become(command, made)


def become(
    command: Sequence[str], made: Mapping[str, str], call: Callable[..., NoReturn] = os.execvpe
) -> NoReturn:
    """Be the command from now on. Raises Unstarted with the exit code of env(1); `call` replaces this process."""
    try:
        try:
            call(command[0], command, made)
        except OSError as error:
            if error.errno != errno.ENOEXEC or not isinstance(error.filename, str | bytes):
                raise
            # A script without a first line that names its interpreter, as execvp(3) has it.
            call(_SHELL, [_SHELL, os.fsdecode(error.filename), *command[1:]], made)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        # An empty name, as of a variable that is not set, is a ValueError.
        raise _unstarted(
            f"there is no command {command[0]!r}; look at its name and at PATH", NOT_FOUND
        ) from None
    except OSError as error:
        raise _unstarted(f"{command[0]!r} cannot be executed: {error.strerror}", NOT_EXECUTABLE) from None


def _environment(
    identity: str | None, s3: bool, with_token: bool, client_secret_file: str | None
) -> dict[str, str]:
    """The command's. Raises ClientError."""
    secret = None if client_secret_file is None else _secret(client_secret_file)
    place = address.find(os.environ)
    found = facade.find(place, identity)
    if found.client_secret and secret is None:
        raise Unstarted(
            f"clients of {found.identity} must present its client secret; "
            "give the file that holds it: --client-secret-file FILE"
        )
    token = _token(found.identity) if with_token else None
    if s3:
        _look_at_aws_config()
    broker = f"unix://{place}" if isinstance(place, address.UnixAddress) else str(place)
    return environment(_inherited(), found, broker, secret=secret, token=token, s3=s3)


def _inherited() -> dict[str, str]:
    """The environment as it was given to us: in the C locale Python adds a variable for itself (PEP 538)."""
    environ = dict(os.environ)
    if "LC_CTYPE" in environ:
        try:
            with open("/proc/self/environ", "rb") as file:  # noqa: PTH123
                given = b"\0" + file.read()
        except OSError:  # no /proc, as in some chroots: better one variable too many than no command
            return environ
        if b"\0LC_CTYPE=" not in given:
            del environ["LC_CTYPE"]
    return environ


def _token(identity: str) -> str:
    """For a program that knows `OS_TOKEN` alone."""
    tree = fetch.token(os.environ, identity, _TIMEOUT).tree()
    _say(
        f"broker: OS_TOKEN cannot be refreshed: that token ends at {tree.get('expires_at')}, or before if it is revoked; "
        "what runs longer must ask the broker"
    )
    return str(tree["token"])


def _look_at_aws_config() -> None:
    """Tell of a login that AWS' clients will use instead of the broker's."""
    path = os.path.expanduser(os.environ.get("AWS_CONFIG_FILE") or "~/.aws/config")  # noqa: PTH111
    if not os.path.isfile(path):  # noqa: PTH113  (what a shell's <(...) gives can be read once, by AWS' clients)
        return
    try:
        with open(path, encoding="utf-8", errors="replace") as file:  # noqa: PTH123
            found = preferred_login(file)
    except OSError:  # AWS' clients will find none there either, or say why
        return
    if found is not None:
        _say(
            f"broker: AWS clients use {found} of [default] in {path} before they ask the broker; "
            "remove it there, or name another file in AWS_CONFIG_FILE"
        )


def _say(sentence: str) -> None:
    """On stderr, or nowhere: where that is closed, `print` would take stdout, which is the command's."""
    if sys.stderr is not None:
        try:
            print(sentence, file=sys.stderr, flush=True)
        except OSError:  # a full disk below a log keeps no command from its start
            return


def _secret(path: str) -> str:
    """What the file holds, without the line's end. Raises Unstarted, and never repeats what was read."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123  (pathlib takes milliseconds to load)
            mode = os.fstat(file.fileno()).st_mode
            line = file.read(_LONGEST + 3)
    except OSError as error:
        raise Unstarted(f"the client secret cannot be read: {error.strerror}: {path}") from None
    if mode & _READ_BY_OTHERS:
        raise Unstarted(
            f"{path} can be read by every user of this host, and so keeps nobody out; run: chmod o= {path}"
        )
    line = line.removesuffix(b"\n").removesuffix(b"\r")
    if not 0 < len(line) <= _LONGEST or not all(0x20 < byte < 0x7F for byte in line):
        raise Unstarted(f"{path} holds no client secret: one line of printable ASCII without spaces")
    return line.decode("ascii")


def _unstarted(sentence: str, exit_code: int) -> Unstarted:
    error = Unstarted(sentence)
    error.exit_code = exit_code
    return error
