"""What `broker run` does to its process before it serves, each with a daemon of the test's own in the place of ours."""

import json
from pathlib import Path

import pytest

from tests.cli.command import Ended, end, start_python

CANARY = "rHMkBT1rYp-KjI4_uGThE38YalXINX5erBxPLudZ0EMZXB0H14_IMGjcPlYwgRruas0VLLQ4fQ3oI2EzcanaryQ"
# What libraries bring along for others, and what only some commands, settings or scrapes need.
UNUSED = {
    "apscheduler.jobstores.sqlalchemy", "apscheduler.schedulers.tornado", "click", "cryptography", "prometheus_client",
    "pydantic.mypy", "pydantic.v1", "sqlalchemy", "tornado", "uvloop", "yaml",
}  # fmt: skip
PLAYED = """
import gc, os, sys, threading, warnings
from broker import app
from broker.__main__ import main

# Opened early: a process that is not dumpable may not open it, unless it is root's.
block = os.open("/proc/self/environ", os.O_RDONLY)
usual = gc.get_threshold()

class Leaky:
    def __del__(self):
        raise ValueError(os.environ["NOTE"])

def fail():
    raise ValueError(os.environ["NOTE"])

async def serve(settings, sources, load, handed):
BODY

app.run = serve
sys.argv[1:] = ["run"]
main()
"""


async def played(folder: Path, *body: str) -> Ended:
    """A run whose daemon is this."""
    config = folder / "broker.toml"
    config.write_text(f'[identities.default]\nkeys = ["/k"]\n[[listen]]\nunix = "{folder}/s"\n')
    program = PLAYED.replace("BODY", "\n".join(f"    {line}" for line in body))
    ended = await end(await start_python(program, KAKAOCLOUD_BROKER_CONFIG=str(config), NOTE=CANARY))
    assert ended.code == 0, ended
    return ended


@pytest.mark.parametrize(
    "body",
    [
        ("Leaky()",),
        ("thread = threading.Thread(target=fail)", "thread.start()", "thread.join()"),
        ("warnings.warn(os.environ['NOTE'], ResourceWarning)",),
    ],
)
async def test_what_the_interpreter_says_by_itself_is_a_line_of_the_log_without_secrets(
    tmp_path: Path, body: tuple[str, ...]
):
    """Rule: it never goes to stderr past the log and its second net."""
    ended = await played(tmp_path, *body)
    [line] = ended.err.splitlines()
    assert "***" in str(json.loads(line))
    assert CANARY[:20] not in ended.out + ended.err


async def test_what_looks_like_a_secret_is_no_more_in_the_block_that_the_kernel_shows(tmp_path: Path):
    """Rule: it is out before anything is served; the process itself has it on."""
    ended = await played(
        tmp_path, "print(os.read(block, 1 << 20).count(b'canary'), os.environ['NOTE'].count('canary'))"
    )
    assert (ended.out, ended.err) == ("0 1\n", "")


async def test_the_daemon_loads_nothing_that_it_does_not_use(tmp_path: Path):
    """Rule: what is loaded is waited for at each start, and held for as long as it runs."""
    ended = await played(tmp_path, f"print(sorted({UNUSED} & {{*sys.modules}}))")
    assert ended.out == "[]\n"


async def test_what_was_loaded_is_out_of_every_collection_and_what_comes_later_is_not(tmp_path: Path):
    """Rule: a collection goes through it in vain; but what belongs to an identity must be collected with it."""
    ended = await played(
        tmp_path,
        "print(gc.get_freeze_count() > 10_000, gc.get_threshold()[:2] == usual[:2])",
        "made = [Leaky]",
        "print(any(thing is made for thing in gc.get_objects()))",
    )
    assert ended.out == "True True\nTrue\n"


@pytest.mark.parametrize(("form", "expected"), [("", "LogEntries"), ("json", "StreamHandler")])
async def test_the_log_has_fields_where_the_journal_reads_stderr_unless_the_settings_want_another_form(
    tmp_path: Path, form: str, expected: str
):
    config = tmp_path / "broker.toml"
    config.write_text(
        f'[identities.default]\nkeys = ["/k"]\n[[listen]]\nunix = "{tmp_path}/s"\n[log]\n'
        + (f'format = "{form}"\n' if form else "")
    )
    program = PLAYED.replace(
        "BODY",
        "    import logging\n    print(*(type(each).__name__ for each in logging.getLogger().handlers))",
    )
    as_a_unit = (
        "import os\nplace = os.fstat(2)\nos.environ['JOURNAL_STREAM'] = f'{place.st_dev}:{place.st_ino}'\n"
    )
    ended = await end(await start_python(as_a_unit + program, KAKAOCLOUD_BROKER_CONFIG=str(config)))
    assert (ended.code, ended.out) == (0, f"{expected}\n"), ended
