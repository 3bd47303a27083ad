"""`broker token`: print a token; nothing else on stdout, so that `$(broker token)` is the token."""

import os

import click

from broker.cli.duration import Duration
from broker.client import fetch


@click.command()
@click.argument("identity", required=False)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="What to print.",
)
@click.option(
    "--timeout", type=Duration(), default="5s", show_default=True, help="How long to wait for a usable token."
)
def token(identity: str | None, form: str, timeout: float) -> None:
    """Print the token of IDENTITY; without a name, of your only identity or the one called default.

    \b
    Exit codes: 69 no broker or no usable token, 77 access denied.
    Example, with the token in no argument list:
      printf 'X-Auth-Token: %s' "$(broker token)" | curl -H @- https://...
    """  # noqa: D301  (click wants the backspace itself)
    answer = fetch.token(os.environ, identity, timeout)
    text = answer.body.decode() if form == "json" else str(answer.tree()["token"])
    click.echo(text)  # flushes, so that a full disk is an error here and not at the interpreter's end
