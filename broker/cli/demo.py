"""`broker demo`: the emulated IAM and a real broker in a folder of their own, which goes with them."""

import asyncio
import http.client
import json
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
from broker.fakeiam.server import FakeIam, s3_url
from broker.hardening import close_files
from broker.identity.sources import Sources
from broker.observability import logs
from broker.settings import Settings


@click.command()
@click.option("--once", is_flag=True, help="Show it and exit.")
def demo(once: bool) -> None:
    """Start an emulated IAM and a broker, get a token both ways, show the status; Ctrl-C ends it."""
    close_files()
    logs.configure("error", "console")
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
        async with running(settings, Sources({}), BootClock()) as broker:
            await asyncio.to_thread(_tour, *broker.addresses)
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
            "listen": [{"unix": str(folder / "broker.sock")}, {"tcp": "127.0.0.1:0"}],
            "cache": {"path": str(folder / "cache")},
            "s3": {"url": s3_url(url)},
            "log": {"audit": "off"},  # stdout is for the tour
        }
    )


def _tour(path: str, loopback: str) -> None:
    click.echo(f"A broker listens at       {path}")
    click.echo(f"and at                    http://{loopback}\n")
    by_socket = {address.VARIABLE: f"unix://{path}"}
    by_http = {address.VARIABLE: f"http://{loopback}"}
    click.echo("A token, as a local program gets it over the socket:")
    click.echo(f"  $ curl --unix-socket {shlex.quote(path)} http://broker/v1/token")
    click.echo(f"  {_shown(by_socket)}\n")
    click.echo("and over loopback HTTP:")
    click.echo(f"  $ curl -H 'Metadata: true' http://{loopback}/v1/token")
    click.echo(f"  {_shown(by_http)}\n")
    click.echo("Without that header, as a page or a tricked server would ask:")
    click.echo(f"  $ curl http://{loopback}/v1/token")
    click.echo(f"  {_turned_away(loopback)}\n")
    click.echo("What the broker holds:")
    click.echo(f"  $ {address.VARIABLE}=unix://{path} broker status")
    for line in render(fetch.status(by_socket)).splitlines():
        click.echo(f"  {line}")


def _shown(environ: dict[str, str]) -> str:
    token = fetch.token(environ, None, 10).tree()
    return f"{token['token'][:16]}... ({len(token['token'])} characters, {token['expires_in']} s to live)"


def _turned_away(loopback: str) -> str:
    connection = http.client.HTTPConnection(loopback, timeout=10)
    try:
        connection.request("GET", "/v1/token")
        answer = connection.getresponse()
        problem = json.loads(answer.read())
    finally:
        connection.close()
    return f"{answer.status} {problem['code']}: {problem['detail']}"
