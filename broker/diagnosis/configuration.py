"""Settings, key files and what lies beside them, judged as a start would judge them; nothing is made or sent."""

import os
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from broker.client_secrets import client_secrets_of
from broker.core.errors import ConfigError, Problem
from broker.core.model import AccessKey
from broker.diagnosis.credentials import unseen
from broker.diagnosis.finding import Finding, Level, ok, problem, warning
from broker.diagnosis.process import broker_at
from broker.files import token_files
from broker.identity.sources import Sources
from broker.observability import journald, to_file, to_journald, to_stdout
from broker.settings import DEFAULT_FILE, Settings, UnixListener, load, named_file
from broker.settings.cautions import cautions, same_keys
from broker.settings.draft import Draft
from broker.settings.places import followed, place_problems
from broker.settings.variables import near_misses
from broker.sinks import foresight

_ABOUT = "settings"
_AS_BROKER = "run this as the broker's own user: sudo -u kakaocloud-broker broker doctor"


def file_of(config: Path | None, environ: Mapping[str, str]) -> Path | None:
    """The file that holds the settings; None: the environment alone does."""
    return named_file(config, environ) or (DEFAULT_FILE if DEFAULT_FILE.exists() else None)


def doubts(settings: Settings, file: Path | None, environ: Mapping[str, str]) -> Sequence[Problem]:
    """What is allowed and yet worth a word. Raises ConfigError with all that would keep a broker from working.

    Reads the keys, and takes those of the environment out of it.
    """
    named = [words for identity in settings.identities.values() for words in identity.keys]
    hidden = {words: doubt for words in named if (doubt := unseen(words, environ))}
    found = [*cautions(settings), *near_misses(environ), *hidden.values()]
    _, unread = client_secrets_of(settings, settings.identities)
    beside = [*unread, *_audit(settings.log.audit), *_files(settings, file, environ)]
    return [*found, *same_keys(_keys(settings, Sources(), hidden, beside))]


@dataclass(frozen=True, slots=True)
class Configuration:
    """The settings as far as they can be seen, and what was found in them."""

    settings: Settings | None
    findings: Sequence[Finding]


def configuration(config: Path | None, environ: Mapping[str, str]) -> Configuration:
    """The same for a doctor: any user may call it, and what that user may not see is no problem of the broker's."""
    file = file_of(config, environ)
    try:
        settings = load(config, environ)
    except ConfigError as error:
        if file is None and not any(
            name.startswith("KAKAOCLOUD_BROKER_") and "__" in name for name in environ
        ):
            says = "those of the broker are not here: no file, and no access key in this environment"
            return Configuration(
                None, [warning(_ABOUT, says, "name its file by --config to have more looked at")]
            )
        return Configuration(None, [_found(one) for one in error.problems])
    where = str(file or "the environment")
    try:
        found = [warning(one.where, one.what, one.remedy) for one in doubts(settings, file, environ)]
    except ConfigError as error:
        broker = _broker(settings)
        return Configuration(settings, [_seen(one, broker) for one in error.problems])
    return Configuration(settings, [ok(_ABOUT, f"{where}: good"), *found])


def _found(one: Problem) -> Finding:
    """A file that is kept from us says nothing of the broker, which runs as another."""
    if os.geteuid() != 0 and f"may not be read by uid {os.geteuid()}" in one.what:
        return warning(one.where, "was not seen: this user may not read it", _AS_BROKER)
    return problem(one.where, one.what, one.remedy)


def _seen(one: Problem, broker: int | None) -> Finding:
    """Beside a broker that runs as another user, only what is missing is missing for both."""
    if broker in {None, os.geteuid()} or one.what == "does not exist":
        return _found(one)
    found = _found(one)
    if found.level is Level.WARNING:
        return found
    says = f"{one.what}, as it looks to uid {os.geteuid()} and not the broker's {broker}"
    return warning(one.where, says, _AS_BROKER)


def _broker(settings: Settings) -> int | None:
    """The uid that serves a Unix socket of these settings."""
    for listener in settings.listen:
        if isinstance(listener, UnixListener):
            with suppress(OSError):
                found = broker_at(listener.unix)
                return None if found is None else found.uid
    return None


def _audit(where: str) -> Sequence[Problem]:
    """What would keep the audit trail from being written there."""
    try:
        match where:
            case "off":
                pass
            case "stdout":
                to_stdout.judge()
            case "journald":
                to_journald.judge(journald.SOCKET)
            case path:
                to_file.judge(Path(path))
    except ConfigError as error:
        return error.problems
    return ()


def _files(settings: Settings, file: Path | None, environ: Mapping[str, str]) -> Iterator[Problem]:
    """What would keep token files from being written, or would have them do harm."""
    draft = Draft(None if file is None else str(file))
    yield from place_problems(settings, file, environ, draft.where, followed)
    for index, each in enumerate(token_files(settings)):
        yield from foresight.problems(each, draft.where(("files", index)))


def _keys(
    settings: Settings, sources: Sources, hidden: Container[str], beside: Iterable[Problem]
) -> dict[str, list[AccessKey]]:
    """The keys of all identities but the hidden, the second ones too. Raises ConfigError with the problems of all of them.

    `beside` are problems that were found elsewhere, told with them.
    """
    found: dict[str, list[AccessKey]] = {name: [] for name in settings.identities}
    problems: list[Problem] = []
    for name, identity in settings.identities.items():
        for words in identity.keys:
            if words in hidden:
                continue
            try:
                found[name].append(sources.of(words).read())
            except ConfigError as error:
                problems += error.problems
    sources.seal()
    problems += beside
    if problems:
        raise ConfigError(*problems)
    return {name: keys for name, keys in found.items() if keys}
