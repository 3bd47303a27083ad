"""The command line: one file a command, loaded only when it is the one that was asked for."""

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
from click.shell_completion import CompletionItem

from broker import __version__
from broker.cli.ends import without_secrets

# The command and its room; the short help stands here so that `broker --help` loads none of them.
_COMMANDS = {
    "run": ("broker.cli.daemon:run", "Run the daemon in the foreground."),
    "token": ("broker.cli.asking:token", "Print the token of an identity."),
    "status": ("broker.cli.status:status", "Show what the broker holds."),
    "wait": ("broker.cli.asking:wait", "Wait until usable tokens are held."),
    "reject": ("broker.cli.asking:reject", "Report a token that is refused, from stdin."),
    "exec": ("broker.cli.asking:execute", "Become a command that finds the broker."),
    "s3-credentials": ("broker.cli.asking:s3_credentials", "Print S3 credentials, as AWS clients take them."),
    "projects": ("broker.cli.projects:projects", "List the projects of an identity's user."),
    "check": ("broker.cli.check:check", "Check settings and key files without starting."),
    "doctor": ("broker.cli.doctor:doctor", "Ask the running broker and the host what is wrong."),
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


def show_usage(command: str, sentence: str) -> int:
    """Tell of a wrong call of this command as of any; its exit code."""
    outer = click.Context(broker, info_name="broker")
    called = broker.get_command(outer, command)
    error = click.UsageError(sentence, click.Context(called, outer, command) if called else outer)
    error.show()
    return error.exit_code


class _NotStarted(click.UsageError):
    """A wrong call of `exec` ends as one of env(1) does: any other code may be that of the command which it becomes."""

    exit_code = 125


@contextmanager
def _quoting_no_secret() -> Iterator[None]:
    """Have the library's words about a wrong call, which quote it, hold no secret."""
    try:
        yield
    except click.UsageError as error:
        kind = _NotStarted if error.ctx and error.ctx.info_name == "exec" else click.UsageError
        raise kind(without_secrets(error.format_message()), error.ctx) from None
