"""`broker run`: the daemon.

What closes the process comes before all else, and most of the code is loaded after it: that takes most of a second.
"""

import os
import signal
import sys
import threading
from pathlib import Path

import click

from broker.cli.config import config_option
from broker.hardening import allow_connections, close_environment, close_files, close_memory


@click.command()
@config_option
def run(config: Path | None) -> None:
    """Run the daemon in the foreground; SIGTERM or SIGINT finishes what is in flight and exits 0, SIGHUP reloads.

    \b
    Example, with no file at all:
      export KAKAOCLOUD_APPLICATION_CREDENTIAL_ID=... KAKAOCLOUD_APPLICATION_CREDENTIAL_SECRET=...
      broker run
    """  # noqa: D301  (click wants the backspace itself)
    close_files()
    close_memory()
    close_environment()
    # Until the loop handles it, a reload asked for too early would end the process.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    allow_connections()
    _serve(config)
    _leave()


def _serve(config: Path | None) -> None:
    import asyncio  # noqa: PLC0415

    from broker.app import run as serve  # noqa: PLC0415
    from broker.identity.sources import Sources  # noqa: PLC0415
    from broker.observability import logs, strays  # noqa: PLC0415
    from broker.settings import load  # noqa: PLC0415

    settings = load(config, os.environ)
    logs.configure(settings.log.level, settings.log.format)
    strays.catch()
    asyncio.run(serve(settings, Sources(), lambda: load(config, os.environ)))


def _leave() -> None:
    """End although a thread may hang in a name look-up or on a disk, where the interpreter would wait for it."""
    sys.stdout.flush()
    sys.stderr.flush()
    if threading.active_count() > 1:
        os._exit(0)
