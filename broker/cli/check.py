"""`broker check`: what `broker run` would make of settings and keys, without starting.

- Problems are those of `run`, in the same words; warnings go to stderr too, and the summary to stdout.
- Keys and client secrets are read to be judged, and only their places are shown.
- Where the audit trail would go is judged by its sinks, which make and send nothing for that.
- What would keep a token file from being written is a problem here, while `run` would start and tell of it.
"""

import os
import shlex
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import click

from broker.cli.config import config_option
from broker.cli.whom import whom
from broker.client_secrets import client_secrets_of
from broker.core.errors import ConfigError, Problem
from broker.core.model import AccessKey
from broker.files import token_files
from broker.hardening import close_memory
from broker.identity.sources import Sources
from broker.observability import to_file, to_journald, to_stdout
from broker.settings import DEFAULT_FILE, Grant, Listener, Settings, TcpListener, load, named_file
from broker.settings.cautions import cautions, same_keys
from broker.settings.draft import Draft
from broker.settings.places import followed, place_problems
from broker.settings.variables import near_misses
from broker.sinks import foresight
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
    file = named_file(config, os.environ) or (DEFAULT_FILE if DEFAULT_FILE.exists() else None)
    doubts = [*cautions(settings), *near_misses(os.environ)]
    _, unread = client_secrets_of(settings, settings.identities)
    beside = [*unread, *_audit(settings.log.audit), *_files(settings, file)]
    doubts += same_keys(_keys(settings, Sources(), beside))
    for doubt in doubts:
        click.echo(f"warning: {doubt}", err=True)
    for line in summary(settings, file):
        click.echo(line)


def _audit(where: str) -> Sequence[Problem]:
    """What would keep the audit trail from being written there."""
    try:
        match where:
            case "off":
                pass
            case "stdout":
                to_stdout.judge()
            case "journald":
                to_journald.judge(to_journald.SOCKET)
            case path:
                to_file.judge(Path(path))
    except ConfigError as error:
        return error.problems
    return ()


def _files(settings: Settings, file: Path | None) -> Iterator[Problem]:
    """What would keep token files from being written, or would have them do harm."""
    draft = Draft(None if file is None else str(file))
    yield from place_problems(settings, file, os.environ, draft.where, followed)
    for index, each in enumerate(token_files(settings)):
        yield from foresight.problems(each, draft.where(("files", index)))


def _keys(settings: Settings, sources: Sources, beside: Iterable[Problem]) -> dict[str, list[AccessKey]]:
    """The keys of all identities, the second ones too. Raises ConfigError with the problems of all of them.

    `beside` are problems that were found elsewhere, told with them.
    """
    found: dict[str, list[AccessKey]] = {name: [] for name in settings.identities}
    problems: list[Problem] = []
    for name, identity in settings.identities.items():
        for words in identity.keys:
            try:
                found[name].append(sources.of(words).read())
            except ConfigError as error:
                problems += error.problems
    sources.seal()
    problems += beside
    if problems:
        raise ConfigError(*problems)
    return found


def summary(settings: Settings, file: Path | None) -> Iterator[str]:
    """What the settings come to, for people."""
    yield f"Good: {file or 'no file, the environment alone'}"
    yield "Listeners:"
    yield from (f"  {_listener(listener)}" for listener in settings.listen)
    yield "Identities:"
    for name, identity in settings.identities.items():
        keys = f"key{'s' * (len(identity.keys) > 1)} from {', then '.join(identity.keys)}"
        proof = f"; client secret from {identity.client_secret_file}" if identity.client_secret_file else ""
        yield f"  {name}: {keys}; IAM at {settings.iam_of(name).url}{proof}"
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
