"""The option and the help of `broker run`. A plain call never comes here: see plain.py."""

from pathlib import Path

import click

from broker.cli import run as running
from broker.cli.config import config_option


@click.command()
@config_option
def run(config: Path | None) -> None:
    """Run the daemon in the foreground; SIGTERM or SIGINT finishes what is in flight and exits 0, SIGHUP reloads.

    \b
    Example, with no file at all:
      export KAKAOCLOUD_APPLICATION_CREDENTIAL_ID=... KAKAOCLOUD_APPLICATION_CREDENTIAL_SECRET=...
      broker run
    """  # noqa: D301  (click wants the backspace itself)
    running.run(config)
