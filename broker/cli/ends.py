"""How a command ends: exit codes of INTERFACE section 2, and one plain sentence on stderr with the remedy.

A traceback is shown only to who asks for it by a variable, without local variables. Whatever is said has what looks like a
secret cut out: people paste a token where a name belongs, and terminals are recorded. What tells of trouble is loaded with it.
"""

from __future__ import annotations

import os
import sys

from broker.client.failures import ClientError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

BAD_CONFIGURATION = 78
TRACEBACK = "KAKAOCLOUD_BROKER_TRACEBACK"


class WrongUsage(Exception):
    """A call that is refused for what came with it, in a sentence; options are judged by the command line's library."""

    def __init__(self, command: str, sentence: str) -> None:
        super().__init__(sentence)
        self.command = command


def told(command: Callable[[], None]) -> None:
    """Run it, and exit with its code if it fails."""
    try:
        command()
    except ClientError as error:
        _say(str(error))
        sys.exit(error.exit_code)
    except WrongUsage as error:
        from broker.cli.main import show_usage  # noqa: PLC0415

        sys.exit(show_usage(error.command, str(error)))
    except BrokenPipeError:
        _drop_output()
        sys.exit(1)
    except OSError as error:
        place = f": {error.filename}" if error.filename else ""
        _fail(f"{error.strerror or type(error).__name__}{place}")
    except KeyboardInterrupt:
        _write("\nAborted!\n")
        sys.exit(1)
    except Exception as error:  # noqa: BLE001  (no fault of ours may spill what its traceback quotes)
        _end_unforeseen(error)


def put(line: str) -> None:
    """Print it, flushed, so that a full disk is an error here and not at the interpreter's end, as is a stdout that is closed."""
    if sys.stdout is None:
        import errno  # noqa: PLC0415  (for this alone)

        raise OSError(errno.EBADF, "stdout is closed")
    print(line, flush=True)


def leave() -> NoReturn:
    """Exit with 0 at once: what was printed is flushed, and taking an interpreter apart takes longer than to ask a broker."""
    os._exit(0)


def journal_reads_stderr() -> bool:
    """Whether systemd's journal does, as the variable tells that systemd sets for it; stderr may have been sent elsewhere since."""
    told = os.environ.get("JOURNAL_STREAM")
    try:
        place = os.fstat(2)
    except OSError:  # it is closed
        return False
    return told == f"{place.st_dev}:{place.st_ino}"


def _end_unforeseen(error: Exception) -> NoReturn:
    """Tell a bad configuration as one, and of anything else its kind alone."""
    from broker.core.errors import ConfigError  # noqa: PLC0415

    if isinstance(error, ConfigError):
        for problem in error.problems:
            _say(str(problem))
        sys.exit(BAD_CONFIGURATION)
    remedy = f"set {TRACEBACK}=1 to see where, and report it"
    if os.environ.get(TRACEBACK) == "1":
        import traceback  # noqa: PLC0415

        _write(without_secrets("".join(traceback.format_exception(error))))
        remedy = "please report it"
    _fail(f"unforeseen fault ({type(error).__name__}); {remedy}")


def without_secrets(text: str) -> str:
    """It, with what looks like a secret cut out."""
    from broker.core.redaction import redacted  # noqa: PLC0415

    return redacted(text)


def _say(sentence: str) -> None:
    # The journal takes such a beginning for the priority, here that of an error, see sd-daemon(3).
    priority = "<3>" if journal_reads_stderr() else ""
    _write(f"{priority}broker: {without_secrets(sentence)}\n")


def _write(text: str) -> None:
    if sys.stderr is not None:  # it may have been closed
        sys.stderr.write(text)
        sys.stderr.flush()


def _fail(sentence: str) -> NoReturn:
    _say(sentence)
    _drop_output()
    sys.exit(1)


def _drop_output() -> None:
    """What could not be written must not be tried once more at the interpreter's end, which would tell of it its way."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
