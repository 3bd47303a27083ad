"""What `broker run` does: the daemon. Its option and its help stand in daemon.py.

What closes the process comes before all else, and most of the code is loaded after it: that takes half a second. The
command line's library is not among it: a plain call starts 20 ms sooner, and holds a megabyte less for as long as it runs.
"""

import os
import signal
import sys
import threading
from pathlib import Path

from broker.cli.ends import journal_reads_stderr
from broker.garbage import loading
from broker.hardening import allow_connections, close_environment, close_files, close_memory
from broker.last_words import leave


def run(config: Path | None = None) -> None:
    """Serve by the settings in this file, by default the standard one, until a signal. Raises ConfigError."""
    close_files()
    close_memory()
    close_environment()
    # Until the loop handles it, a reload asked for too early would end the process.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        _serve(config)
    except Exception as error:
        leave(_reason(error))
        raise
    _leave()


def _serve(config: Path | None) -> None:
    with loading():
        import asyncio  # noqa: PLC0415

        from broker.app import run as serve  # noqa: PLC0415
        from broker.identity.sources import Sources  # noqa: PLC0415
        from broker.observability import logs, strays  # noqa: PLC0415
        from broker.settings import load  # noqa: PLC0415
        from broker.systemd.handed import Handed  # noqa: PLC0415

        settings = load(config, os.environ)
    allow_connections(settings.serving.connections)
    logs.configure(
        settings.log.level, settings.log.format or ("journald" if journal_reads_stderr() else "json")
    )
    strays.catch()
    handed = Handed.by(os.environ)
    asyncio.run(serve(settings, Sources(), lambda: load(config, os.environ), handed))


def _reason(error: Exception) -> str:
    from broker.core.errors import ConfigError  # noqa: PLC0415  (it is loaded by now)

    return str(error) if isinstance(error, ConfigError) else f"unforeseen fault ({type(error).__name__})"


def _leave() -> None:
    """End although a thread may hang in a name look-up or on a disk, where the interpreter would wait for it."""
    sys.stdout.flush()
    sys.stderr.flush()
    if threading.active_count() > 1:
        os._exit(0)
