"""`broker fake-iam`: the emulated IAM alone, in the foreground.

stdout gets the export lines and nothing else, so that they can be evaluated; stderr gets one line per request.
"""

import asyncio
import errno
import shlex
import signal
import sys
from pathlib import Path

import click

_HELP = """Run an emulated KakaoCloud IAM on loopback, to test programs against.

A fault is NAME or NAME=VALUE, then options after a colon, with commas between:

\b
  latency=SECONDS, skew=SECONDS (only=date|times)
  any status such as 503 (body=json|html|empty, retry-after=N|date+N);
      below 300 the real answer goes out under it
  redirect (to=URL, status=N), reset, hang (until the fault is removed)
  half, wrong-json, not-object, oversized
  no-token, no-expiry, bad-expiry, expiry-before-issue

Each takes times=N, on=issue|validate|projects|key|s3|any, key=ID.

While it runs, curl http://127.0.0.1:PORT/_fake/ shows how to change faults, keys, roles and users.

\b
Example, with IAM busy for its first two requests:
  broker fake-iam --fault 429:retry-after=3,times=2 > iam.env & sleep 1; . ./iam.env; broker run
"""


@click.command("fake-iam", help=_HELP, short_help="Run an emulated KakaoCloud IAM on loopback.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=9770, show_default=True, help="0 picks a free one."
)
@click.option("--life", default="12h", show_default=True, metavar="DURATION", help="How long a token lives.")
@click.option(
    "--s3-life",
    default="12h",
    show_default=True,
    metavar="DURATION",
    help="How long S3 credentials live at most.",
)
@click.option(
    "--fault",
    "faults",
    multiple=True,
    metavar="FAULT",
    help="Such as 429:retry-after=3,times=2,on=issue or latency=0.5; may be given more than once.",
)
@click.option("--key-id", metavar="ID", help="The access key's id; random when not given.")
@click.option(
    "--key-secret-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A file with the access key's secret; random when not given.",
)
def fake_iam(
    port: int,
    life: str,
    s3_life: str,
    faults: tuple[str, ...],
    key_id: str | None,
    key_secret_file: Path | None,
) -> None:
    """Start the emulator, print what a user needs, and wait for a signal."""
    from broker.fakeiam.durations import parse_duration  # noqa: PLC0415  (keeps `broker --help` fast)
    from broker.fakeiam.server import FakeIam, s3_url  # noqa: PLC0415

    try:
        secret = None if key_secret_file is None else _secret_in(key_secret_file)
        iam = FakeIam(life=parse_duration(life), key_id=key_id, key_secret=secret, observer=_log)
        iam.state.storage.most = parse_duration(s3_life)
        for fault in faults:
            iam.faults.add(fault)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    shown = (
        shlex.quote(iam.key.secret)
        if key_secret_file is None
        else f'"$(cat {shlex.quote(str(key_secret_file))})"'
    )

    async def run() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        async with iam.serve(port) as url:
            click.echo(f"export KAKAOCLOUD_APPLICATION_CREDENTIAL_ID={shlex.quote(iam.key.id)}")
            click.echo(f"export KAKAOCLOUD_APPLICATION_CREDENTIAL_SECRET={shown}")
            click.echo(f"export KAKAOCLOUD_BROKER_IAM__URL={url}")
            click.echo(f"export KAKAOCLOUD_BROKER_S3__URL={shlex.quote(s3_url(url))}")
            click.echo(f"export OS_AUTH_URL={url}")
            await stop.wait()

    try:
        asyncio.run(run())
    except OSError as error:
        if error.errno not in {errno.EADDRINUSE, errno.EACCES}:
            raise
        click.echo(f"broker: port {port} on 127.0.0.1 cannot be used; choose another with --port.", err=True)
        sys.exit(1)


def _secret_in(path: Path) -> str:
    try:
        secret = path.read_text().removesuffix("\n")
    except ValueError:
        raise ValueError(f"{path} is not text; put the secret in it, and nothing else") from None
    if not secret:
        raise ValueError(f"{path} is empty; put the secret in it")
    return secret


def _log(method: str, path: str, status: int) -> None:
    click.echo(f"{method} {path} {status or 'no answer'}", err=True)
