"""The command line: one file a command, loaded only when it is the one that was asked for.

Errors are one plain sentence on stderr with the remedy; exit codes are INTERFACE section 2's. A traceback is shown only to
who asks for it by a variable, without local variables. Whatever is said so has what looks like a secret cut out: people
paste a token where a name belongs, and terminals are recorded.
"""

import importlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import click
from click.shell_completion import CompletionItem

from broker import __version__
from broker.client.failures import ClientError
from broker.core.errors import ConfigError

BAD_CONFIGURATION = 78
TRACEBACK = "KAKAOCLOUD_BROKER_TRACEBACK"

# The command and its room; the short help stands here so that `broker --help` loads none of them.
_COMMANDS = {
    "run": ("broker.cli.run:run", "Run the daemon in the foreground."),
    "token": ("broker.cli.token:token", "Print the token of an identity."),
    "status": ("broker.cli.status:status", "Show what the broker holds."),
    "wait": ("broker.cli.wait:wait", "Wait until usable tokens are held."),
    "reject": ("broker.cli.reject:reject", "Report a token that is refused, from stdin."),
    "projects": ("broker.cli.projects:projects", "List the projects of an identity's user."),
    "check": ("broker.cli.check:check", "Check settings and key files without starting."),
    "explain": ("broker.cli.explain:explain", "Say which grant lets a caller in, or why none does."),
    "demo": ("broker.cli.demo:demo", "Try it all with an emulated IAM; nothing is left behind."),
    "fake-iam": ("broker.cli.fake_iam:fake_iam", "Run an emulated KakaoCloud IAM on loopback."),
}


class _Commands(click.Group):
    def make_context(self, *args: Any, **more: Any) -> click.Context:  # noqa: ANN401  (passed on as it is)
        with _quoting_no_secret():
            return super().make_context(*args, **more)

    def invoke(self, ctx: click.Context) -> object:
        with _quoting_no_secret():
            return super().invoke(ctx)

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in _COMMANDS:
            return None
        module, _, name = _COMMANDS[cmd_name][0].partition(":")
        command = getattr(importlib.import_module(module), name)
        return command if isinstance(command, click.Command) else None

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """The names of commands by the table: click would load every one, at each press of Tab."""
        fitting = [(name, short) for name, (_, short) in _COMMANDS.items() if name.startswith(incomplete)]
        commands = [CompletionItem(name, help=short) for name, short in fitting]
        return commands + click.Command.shell_complete(self, ctx, incomplete)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, short) for name, (_, short) in _COMMANDS.items()])


@click.command(cls=_Commands)
@click.version_option(__version__, prog_name="broker")
def broker() -> None:
    """Keep one good KakaoCloud API token per identity alive and serve it to local programs.

    `broker demo` shows it all without a key; `broker run` starts the real thing.
    `broker COMMAND --help` has an example for each command.
    """


def main() -> None:
    """Run the command line and exit with its code."""
    try:
        broker.main(prog_name="broker", standalone_mode=True)
    except ConfigError as error:
        for problem in error.problems:
            _say(str(problem))
        sys.exit(BAD_CONFIGURATION)
    except ClientError as error:
        _say(str(error))
        sys.exit(error.exit_code)
    except OSError as error:
        place = f": {error.filename}" if error.filename else ""
        _fail(f"{error.strerror or type(error).__name__}{place}")
    except Exception as error:  # noqa: BLE001  (no fault of ours may spill what its traceback quotes)
        remedy = f"set {TRACEBACK}=1 to see where, and report it"
        if os.environ.get(TRACEBACK) == "1":
            import traceback  # noqa: PLC0415  (for this alone)

            click.echo(_without_secrets(traceback.format_exc()), err=True, nl=False)
            remedy = "please report it"
        _fail(f"unforeseen fault ({type(error).__name__}); {remedy}")


@contextmanager
def _quoting_no_secret() -> Iterator[None]:
    """Have the library's words about a wrong call, which quote it, hold no secret."""
    try:
        yield
    except click.UsageError as error:
        raise click.UsageError(_without_secrets(error.format_message()), error.ctx) from None


def _without_secrets(text: str) -> str:
    from broker.core.redaction import redacted  # noqa: PLC0415  (a command that succeeds starts faster without)

    return redacted(text)


def _say(sentence: str) -> None:
    click.echo(f"broker: {_without_secrets(sentence)}", err=True)


def _fail(sentence: str) -> NoReturn:
    _say(sentence)
    # What could not be written must not be tried once more at the interpreter's end, which would tell of it its way.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    sys.exit(1)
