"""The options and the help of the commands that start fast; what they do stands in a file each, which needs no library.

Their plain calls never come here: see plain.py.
"""

import click

from broker.cli import execute as executing
from broker.cli import reject as rejecting
from broker.cli import s3_credentials as buying
from broker.cli import token as printing
from broker.cli import wait as waiting
from broker.cli.duration import Duration


@click.command()
@click.argument("identity", required=False)
@click.option(
    "--format",
    "form",
    type=click.Choice(printing.FORMS),
    default=printing.FORMS[0],
    show_default=True,
    help="What to print: the token, all that is known of it, `X-Auth-Token: TOKEN`, or `export OS_TOKEN=TOKEN`.",
)
@click.option("--min-ttl", type=Duration(), help="The life that it must have left, such as 10m.")
@click.option(
    "--timeout",
    type=Duration(),
    default=f"{printing.TIMEOUT:.0f}s",
    show_default=True,
    help="How long to wait for a usable token.",
)
@click.option("--follow", is_flag=True, help="Print each new token too, until Ctrl-C.")
def token(identity: str | None, form: str, min_ttl: float | None, timeout: float, follow: bool) -> None:
    """Print the token of IDENTITY; without a name, of your only identity or the one called default.

    \b
    Exit codes: 69 no broker or no usable token, 77 access denied.
    Example, with the token in no argument list:
      broker token --format header | curl -H @- https://...
    """  # noqa: D301  (click wants the backspace itself)
    printing.token(identity, form=form, min_ttl=min_ttl, timeout=timeout, follow=follow)


@click.command()
@click.argument("identities", metavar="[IDENTITY]...", nargs=-1)
@click.option(
    "--timeout",
    type=Duration(),
    default=f"{waiting.TIMEOUT:.0f}s",
    show_default=True,
    help="How long to wait; 0 asks once.",
)
def wait(identities: tuple[str, ...], timeout: float) -> None:
    """Wait until the broker holds a usable token for each IDENTITY, or for all that it has.

    No right is needed. A broker that has not started yet is waited for.

    \b
    Exit codes: 0 ready, 69 not within the time, with the last reason.
    Example, as the start-up probe of a container:
      broker wait --timeout 0
    """  # noqa: D301
    waiting.wait(identities, timeout)


@click.command()
@click.argument("identity", required=False)
def reject(identity: str | None) -> None:
    """Read a token on stdin and report that it is refused; IDENTITY is the one it is of, by default your only one or default.

    The broker asks IAM whether the token lives, and replaces it if not. Prints what came of it.

    \b
    Exit codes: 1 nothing could be found out yet, 69 no broker, 77 access denied.
    Example, after a 401 of a service:
      printf %s "$TOKEN" | broker reject
    """  # noqa: D301
    rejecting.reject(identity)


@click.command("exec", context_settings={"allow_interspersed_args": False})
@click.option("--identity", help="Whose token; default: your only identity or the one called default.")
@click.option("--s3", is_flag=True, help="For AWS clients too: credentials of object storage.")
@click.option("--with-token", is_flag=True, help="Set OS_TOKEN too, which cannot be refreshed.")
@click.option("--client-secret-file", metavar="FILE", help="What clients of the identity must present.")
@click.argument("command", metavar="-- COMMAND...", nargs=-1, required=True, type=click.UNPROCESSED)
def execute(
    command: tuple[str, ...],
    identity: str | None,
    s3: bool,
    with_token: bool,
    client_secret_file: str | None,
) -> None:
    """Become COMMAND, with the variables by which OpenStack clients, Terraform and kubectl find the broker, and no real key.

    \b
    Exit codes: those of COMMAND; 125 it was not started, 126 it cannot be executed, 127 there is none.
    Examples:
      broker exec -- openstack token issue
      broker exec --s3 -- aws s3 ls
    """  # noqa: D301
    executing.execute(
        command,
        identity=identity,
        s3=s3,
        with_token=with_token,
        client_secret_file=client_secret_file,
    )


@click.command("s3-credentials")
@click.argument("identity", required=False)
@click.option("--region", metavar="REGION", help="The region of the object storage; by default the broker's.")
@click.option(
    "--duration",
    type=Duration(),
    help="How long they are to live, such as 30m; by default as the broker is set.",
)
def s3_credentials(identity: str | None, region: str | None, duration: float | None) -> None:
    """Print S3 credentials that the token of IDENTITY buys, as JSON for `credential_process` of AWS' clients.

    Without a name, of your only identity or the one called default.

    \b
    Exit codes: 69 no broker or no credentials, 77 access denied.
    Example, a line in ~/.aws/config:
      credential_process = broker s3-credentials
    """  # noqa: D301
    buying.s3_credentials(identity, region=region, duration=duration)
