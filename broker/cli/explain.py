"""`broker explain`: which grant lets a caller read an identity, or why none does, without asking the daemon.

- It goes by the settings as they are written now; a daemon that has not read them yet still goes by those of before.
- No key is read, so that whoever may read the settings may ask.
- What is assumed of the caller and of the broker is said.
"""

import grp
import json
import os
import pwd
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import click
from pydantic import ValidationError
from pydantic_core import PydanticCustomError

from broker.callers.container import in_container
from broker.callers.overflow import ambiguous_gid, ambiguous_uid
from broker.cli.config import config_option
from broker.cli.explanation import lines, tree
from broker.cli.supposed import Ambiguous, Caller, Question, slices_around, socket_owner
from broker.client.failures import Denied
from broker.core.access import Owner
from broker.settings import Account, Grant, Listener, Settings, load
from broker.settings.listeners import label


# Without its parameter: click 8.1, which is allowed, has a class there that takes none.
class _Named(click.ParamType):  # type: ignore[type-arg]
    """A user, group or unit, read just as a grant reads it."""

    def __init__(self, key: str) -> None:
        self.name = key.removesuffix("s")
        self._key = key

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> object:
        try:
            grant = Grant.model_validate({"identity": "any", self._key: (value,)})
        except ValidationError as error:
            self.fail(f"{value!r} {error.errors()[0]['msg']}", param, ctx)
        return getattr(grant, self._key)[0]


@click.command()
@click.option("--uid", "user", type=_Named("users"), required=True, help="The caller, by number or name.")
@click.option(
    "--gid",
    "groups",
    type=_Named("groups"),
    multiple=True,
    help="Its group by number or name; then its supplementary ones. Default: those of a user given by name.",
)
@click.option(
    "--unit",
    "units",
    type=_Named("units"),
    multiple=True,
    help="The systemd unit that it runs in, as app.service; and the slices around that, as system.slice.",
)
@click.option("--listener", help="Where it asks, as [[listen]] has it. Default: wherever tokens are served.")
@click.option("--identity", required=True, help="What it asks for.")
@click.option("--other-pid-namespace", "elsewhere", is_flag=True, help="It runs in one, as in a container.")
@click.option(
    "--owner",
    type=_Named("users"),
    help="Who runs the broker, by number or name. Default: the owner of its socket, else you.",
)
@click.option(
    "--in-container/--no-in-container",
    "contained",
    default=None,
    help="Where the broker runs. Default: as you.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@config_option
def explain(
    user: Account,
    groups: tuple[Account, ...],
    units: tuple[str, ...],
    listener: str | None,
    identity: str,
    elsewhere: bool,
    owner: Account | None,
    contained: bool | None,
    as_json: bool,
    config: Path | None,
) -> None:
    """Say whether a caller may read an identity by the settings as they are written, by which grant, or why not.

    The daemon is not asked and no key is read.

    \b
    Exit codes: 0 allowed (on one of the listeners at least), 77 denied, 78 bad settings.
    Examples:
      broker explain --uid app --identity default
      broker explain --uid 1001 --gid 1001 --unit app.service --listener 127.0.0.1:9780 --identity default
    """  # noqa: D301  (click wants the backspace itself)
    settings = load(config, os.environ)
    listeners = _listeners(settings, listener)
    uid, whose = _owner(settings, owner)
    question = Question(
        settings,
        settings.policy(Owner(uid, in_container() if contained is None else contained)),
        _caller(user, groups, units, elsewhere),
        identity,
        Ambiguous(ambiguous_uid(), ambiguous_gid()),
    )
    answers = [question.judged(one) for one in listeners]
    if as_json:
        click.echo(json.dumps(tree(question, answers), indent=2))
    else:
        for line in lines(question, answers, whose):
            click.echo(line)
    if not any(judged.read for judged in answers):
        sys.exit(Denied.exit_code)


def _caller(user: Account, groups: tuple[Account, ...], units: tuple[str, ...], elsewhere: bool) -> Caller:
    """Raises UsageError where it would be in two units at once, of which no slice is."""
    slices = [unit for unit in units if unit.endswith(".slice")]
    innermost = {*units} - {*slices}
    if len(innermost) > 1:
        raise click.UsageError(
            "a process runs in one unit; of --unit give that one, and the slices around it"
        )
    return Caller(
        user,
        groups or tuple(_own_groups(user)),
        next(iter(innermost), None),
        frozenset(slices_around(slices)),
        elsewhere,
    )


def _own_groups(user: Account) -> Iterator[Account]:
    """Those that a user of this host gets at login; a number alone may be anybody's."""
    if user.name is None:
        return
    own = pwd.getpwnam(user.name).pw_gid
    for number in dict.fromkeys((own, *os.getgrouplist(user.name, own))):
        name = None
        with suppress(KeyError):
            name = grp.getgrgid(number).gr_name
        yield Account(number, name)


def _owner(settings: Settings, given: Account | None) -> tuple[int, str]:
    """Who runs the broker, and how that is known."""
    if given is not None:
        return given.number, "as you say"
    found = socket_owner(settings)
    return (
        (found[0], f"the owner of {found[1]}")
        if found
        else (os.getuid(), "as you, for its socket is not there")
    )


def _listeners(settings: Settings, word: str | None) -> Sequence[Listener]:
    """The one that is meant, or all that serve tokens. Raises BadParameter."""
    if word is None:
        return [listener for listener in settings.listen if "tokens" in listener.serve]
    try:
        named = label(word)
    except PydanticCustomError as error:
        raise click.BadParameter(f"{word!r} {error.message()}", param_hint="--listener") from None
    found = [listener for listener in settings.listen if listener.label == named]
    if not found:
        there = ", ".join(listener.label for listener in settings.listen)
        raise click.BadParameter(f"{word!r} is no listener; choose one of {there}", param_hint="--listener")
    return found
