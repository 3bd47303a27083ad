"""What the interpreter would write to stderr by itself, past the log and its second net: brought into the log.

- An exception that ends a thread, or that nobody can be told of (in a finaliser, in a callback of C).
- A warning: of the interpreter's developer mode, or a library's; its text may show an object.
"""

import logging
import sys
import threading

import structlog

_log = structlog.get_logger()


def catch() -> None:
    """From now on, for as long as the process lives; after `logs.configure`."""
    logging.captureWarnings(capture=True)
    sys.unraisablehook = _untold
    threading.excepthook = _of_thread


def _untold(found: "sys.UnraisableHookArgs") -> None:
    # What the exception came from is not shown: it may be anything.
    _log.error(
        "stray_exception",
        where=type(found.object).__name__,
        said=found.err_msg,
        exc_info=(found.exc_type, found.exc_value, found.exc_traceback),
    )


def _of_thread(found: threading.ExceptHookArgs) -> None:
    if found.exc_type is SystemExit:
        return  # a thread may end so
    thread = None if found.thread is None else found.thread.name
    _log.error(
        "stray_exception", where=thread, exc_info=(found.exc_type, found.exc_value, found.exc_traceback)
    )
