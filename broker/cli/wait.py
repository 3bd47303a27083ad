"""`broker wait`: for start-up probes and scripts that begin before the broker does."""

import os

import click

from broker.cli.duration import Duration
from broker.client import ready


@click.command()
@click.argument("identities", metavar="[IDENTITY]...", nargs=-1)
@click.option(
    "--timeout", type=Duration(), default="60s", show_default=True, help="How long to wait; 0 asks once."
)
def wait(identities: tuple[str, ...], timeout: float) -> None:
    """Wait until the broker holds a usable token for each IDENTITY, or for all that it has.

    No right is needed. A broker that has not started yet is waited for.

    \b
    Exit codes: 0 ready, 69 not within the time, with the last reason.
    Example, as the start-up probe of a container:
      broker wait --timeout 0
    """  # noqa: D301  (click wants the backspace itself)
    ready.wait(os.environ, identities, timeout)
