"""`broker check`: what `broker run` would make of settings and keys, without starting.

- Problems are those of `run`, in the same words; warnings go to stderr too, and the summary to stdout.
- Keys and client secrets are read to be judged, and only their places are shown.
- Where the audit trail would go is judged by its sinks, which make and send nothing for that.
- What would keep a token file from being written is a problem here, while `run` would start and tell of it.
"""

import os
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path

import click

from broker.cli.config import config_option
from broker.cli.whom import whom
from broker.diagnosis.configuration import doubts, file_of
from broker.diagnosis.credentials import RENEWED, by_systemd
from broker.files import token_files
from broker.hardening import close_memory
from broker.settings import Grant, Listener, Settings, TcpListener, load
from broker.sinks.token_file import TokenFile

_OWNERS_RULE = (
    "no grants: the broker's own user, and over a Unix socket root of this host (of no container), "
    "read every identity; nobody else"
)


@click.command()
@config_option
def check(config: Path | None) -> None:
    """Check settings and key files without starting; every problem is a line with its remedy, and exit code 78.

    Run it as the user who runs the broker, who may read the keys.

    \b
    Example:
      sudo -u kakaocloud-broker broker check --config /etc/kakaocloud-broker/broker.toml
    """  # noqa: D301  (click wants the backspace itself)
    close_memory()
    settings = load(config, os.environ)
    file = file_of(config, os.environ)
    for doubt in doubts(settings, file, os.environ):
        click.echo(f"warning: {doubt}", err=True)
    for line in summary(settings, file, os.environ):
        click.echo(line)


def summary(settings: Settings, file: Path | None, environ: Mapping[str, str]) -> Iterator[str]:
    """What the settings come to, for people."""
    yield f"Good: {file or 'no file, the environment alone'}"
    yield "Listeners:"
    yield from (f"  {_listener(listener)}" for listener in settings.listen)
    yield "Identities:"
    for name, identity in settings.identities.items():
        keys = f"key{'s' * (len(identity.keys) > 1)} from {', then '.join(identity.keys)}"
        proof = f"; client secret from {identity.client_secret_file}" if identity.client_secret_file else ""
        yield f"  {name}: {keys}; IAM at {settings.iam_of(name).url}{proof}"
        if any(by_systemd(words, environ) for words in identity.keys):
            yield f"    from systemd: {RENEWED}"
    yield f"Audit trail: {settings.log.audit}"
    if settings.files:
        yield "Token files:"
        yield from (f"  {_file(each)}" for each in token_files(settings))
    yield "Who may read:"
    if not settings.grants:
        yield f"  {_OWNERS_RULE}"
        return
    yield from (f"  {_grant(grant)}" for grant in settings.grants)
    for name in settings.identities:
        if all(grant.identity != name for grant in settings.grants):
            yield f"  {name}: nobody"


def _file(file: TokenFile) -> str:
    what = f"template {file.template}" if file.template else file.form
    owner = "" if file.uid is None else f", owner {file.uid}"
    group = "" if file.gid is None else f", group {file.gid}"
    run = f"; on change: {shlex.join(file.on_change)}" if file.on_change else ""
    return f"{file.path}: {file.identity} as {what}, mode {file.mode:04o}{owner}{group}{run}"


def _listener(listener: Listener) -> str:
    text = f"{listener.label}: {', '.join(listener.serve)}"
    if listener.identities is not None:
        text += f"; identities {', '.join(listener.identities)} alone"
    if isinstance(listener, TcpListener) and listener.if_available:
        text += "; where the host has that address"
    if listener.is_tcp and "tokens" in listener.serve:
        text += "; requests need the header Metadata: true"
    return text


def _grant(grant: Grant) -> str:
    where = f"on {', '.join(grant.listeners)}" if grant.listeners else "on all listeners"
    if grant.any:
        return f"{grant.identity}: whoever connects {where}"
    return f"{grant.identity}: {whom(grant.users, grant.groups, grant.units)} {where}"
