"""`broker token`: print a token; nothing else on stdout, so that `$(broker token)` is the token."""

import json
import os

import click

from broker.cli.duration import Duration
from broker.client import fetch
from broker.client.reply import Answer


@click.command()
@click.argument("identity", required=False)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "header", "env"]),
    default="text",
    show_default=True,
    help="What to print: the token, all that is known of it, `X-Auth-Token: TOKEN`, or `export OS_TOKEN=TOKEN`.",
)
@click.option("--min-ttl", type=Duration(), help="The life that it must have left, such as 10m.")
@click.option(
    "--timeout", type=Duration(), default="5s", show_default=True, help="How long to wait for a usable token."
)
@click.option("--follow", is_flag=True, help="Print each new token too, until Ctrl-C.")
def token(identity: str | None, form: str, min_ttl: float | None, timeout: float, follow: bool) -> None:
    """Print the token of IDENTITY; without a name, of your only identity or the one called default.

    \b
    Exit codes: 69 no broker or no usable token, 77 access denied.
    Example, with the token in no argument list:
      broker token --format header | curl -H @- https://...
    """  # noqa: D301  (click wants the backspace itself)
    if follow:
        _follow(identity, form, min_ttl, timeout)
    else:
        _print(fetch.token(os.environ, identity, timeout, min_ttl), form)


def _follow(identity: str | None, form: str, min_ttl: float | None, timeout: float) -> None:
    from broker.cli.endless import until_ended  # noqa: PLC0415  (the usual call starts faster without)
    from broker.client import follow  # noqa: PLC0415

    with until_ended():
        for answer in follow.tokens(os.environ, identity, timeout, min_ttl, _away):
            _print(answer, form)


def _away(reason: str) -> None:
    click.echo(f"broker: {reason}; following on once that is over", err=True)


def _print(answer: Answer, form: str) -> None:
    """One line, flushed, so that a full disk is an error here and not at the interpreter's end."""
    tree = answer.tree()
    value = str(tree["token"])
    match form:
        case "json":
            click.echo(json.dumps(tree))
        case "header":
            click.echo(f"X-Auth-Token: {value}")
        case "env":
            import shlex  # noqa: PLC0415  (for this form alone)

            click.echo(f"export OS_TOKEN={shlex.quote(value)}")
        case _:
            click.echo(value)
