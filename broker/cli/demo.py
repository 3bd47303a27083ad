"""`broker demo`: the emulated IAM and a real broker in a folder of their own, which goes with them."""

import asyncio
import os
import shlex
import signal
import tempfile
from pathlib import Path

import click

from broker.app import running
from broker.cli.status import render
from broker.client import address, fetch
from broker.clock import BootClock
from broker.fakeiam.server import FakeIam
from broker.identity.sources import Sources
from broker.observability import logs
from broker.settings import Settings


@click.command()
@click.option("--once", is_flag=True, help="Show it and exit.")
def demo(once: bool) -> None:
    """Start an emulated IAM and a broker, get a token over the socket, show the status; Ctrl-C ends it."""
    logs.configure("warning", "console")
    # A socket's path may have 107 bytes; some hosts have longer folders for what is temporary.
    parent = None if len(os.fsencode(tempfile.gettempdir())) < 60 else "/tmp"  # noqa: S108  the folder made there is our own
    with tempfile.TemporaryDirectory(prefix="kakaocloud-broker-demo-", dir=parent) as folder:
        asyncio.run(_show(Path(folder), once=once))


async def _show(folder: Path, *, once: bool) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    iam = FakeIam()
    async with iam.serve(0) as url:
        click.echo(f"An emulated KakaoCloud IAM listens at {url}")
        settings = _settings(folder, url, iam)
        async with running(settings, Sources({}), BootClock()):
            await asyncio.to_thread(_tour, folder)
            if not once:
                click.echo("\nCtrl-C ends it.")
                await stop.wait()
    click.echo("\nEnded; nothing is left behind.")


def _settings(folder: Path, url: str, iam: FakeIam) -> Settings:
    keys = folder / "keys"
    keys.mkdir(mode=0o700)
    for name, text in (("id", iam.key.id), ("secret", iam.key.secret)):
        with open(keys / name, "x", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
            file.write(text)
    return Settings.model_validate(
        {
            "iam": {"url": url},
            "identities": {"default": {"keys": [str(keys)]}},
            "listen": [{"unix": str(folder / "broker.sock")}],
        }
    )


def _tour(folder: Path) -> None:
    path = folder / "broker.sock"
    environ = {address.VARIABLE: f"unix://{path}"}
    click.echo(f"A broker listens at       {path}\n")
    token = fetch.token(environ, None, 10).tree()
    click.echo("A token, as a local program gets it:")
    click.echo(f"  $ curl --unix-socket {shlex.quote(str(path))} http://broker/v1/token")
    click.echo(
        f"  {token['token'][:16]}... ({len(token['token'])} characters, {token['expires_in']} s to live)\n"
    )
    click.echo("What the broker holds:")
    click.echo(f"  $ {address.VARIABLE}=unix://{path} broker status")
    for line in render(fetch.status(environ)).splitlines():
        click.echo(f"  {line}")
