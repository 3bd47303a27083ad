"""How the commands end: exit codes of INTERFACE section 2, one sentence on stderr, only the token on stdout."""

import json
import os
import signal
import sys
from asyncio import create_subprocess_exec
from pathlib import Path
from subprocess import PIPE

import pytest

from broker.core.access import Verdict, Workload
from broker.fakeiam.server import FakeIam
from tests.app.whole import get, key_folder, whole
from tests.callers.folders import open_folder
from tests.cli.command import at, broker, end, environment, start
from tests.client.scripted import bare, scripted
from tests.serving.house import house, until

pytestmark = pytest.mark.e2e

FULL = Path("/dev/full")
ROOT = str(Path(__file__).parents[2])
AS_STRANGER = """
import json, os, sys
from broker.__main__ import main
from broker.cli import token
from broker.core import redaction
os.setgroups([])
os.setgid(54321)
os.setuid(54321)
sys.argv[:] = ["broker", "token"]
main()
"""


class Refusing:
    """A policy that grants nothing."""

    def may_read(self, workload: Workload, identity: str) -> Verdict:
        del workload, identity
        return Verdict(allowed=False, by="no grant")

    def may_view(self, workload: Workload, identity: str) -> Verdict:
        return self.may_read(workload, identity)

    def reads_anything(self, workload: Workload) -> bool:
        del workload
        return False


async def test_stdout_holds_the_token_and_nothing_else(tmp_path: Path):
    async with whole(tmp_path, iam := FakeIam()):
        token = (await get(tmp_path / "s", "/v1/token"))[1]["token"]
        for args in (("token",), ("token", "default")):
            ended = await broker(*args, **at(tmp_path / "s"))
            assert (ended.code, ended.out, ended.err) == (0, token + "\n", "")
        ended = await broker("token", "--format", "json", **at(tmp_path / "s"))
        tree = json.loads(ended.out)
        assert (ended.code, ended.err, tree["token"], tree["identity"]) == (0, "", token, "default")
        assert iam.counters.issued == 1


async def test_a_token_that_cannot_be_written_is_an_error():
    """`broker token > /full/disk` must not seem to have worked."""
    with open_folder() as folder:
        async with house(folder, "default") as served:
            await served.issued()
            with FULL.open("wb") as full:  # noqa: ASYNC230  (opening it never blocks)
                process = await create_subprocess_exec(
                    *(sys.executable, "-m", "broker", "token"),
                    stdout=full,
                    stderr=PIPE,
                    env=environment(at(folder / "s")),
                )
                _, err = await process.communicate()
    assert (process.returncode, err) == (1, b"broker: No space left on device\n")


async def test_a_stdout_that_is_closed_is_an_error(tmp_path: Path):
    """`broker token >&-`, as of a script whose own stdout was closed: it must not seem to have worked."""
    with scripted(tmp_path / "s", bare(b"t")):
        process = await create_subprocess_exec(
            *("sh", "-c", 'exec "$0" -m broker token >&-', sys.executable),
            stderr=PIPE,
            env=environment(at(tmp_path / "s")),
        )
        _, err = await process.communicate()
    assert (process.returncode, err) == (1, b"broker: stdout is closed\n")


async def test_a_reader_that_has_left_is_1_and_no_word(tmp_path: Path):
    """`broker token | true`."""
    read, write = os.pipe()
    os.close(read)
    with scripted(tmp_path / "s", bare(b"t")):
        process = await create_subprocess_exec(
            *(sys.executable, "-m", "broker", "token"),
            stdout=write,
            stderr=PIPE,
            env=environment(at(tmp_path / "s")),
        )
        os.close(write)
        _, err = await process.communicate()
    assert (process.returncode, err) == (1, b"")


@pytest.mark.parametrize("words", [("token",), ("wait",), ("projects",)])
async def test_ctrl_c_is_1_and_one_word(tmp_path: Path, words: tuple[str, ...]):
    """Rule: the same whether the call was a plain one or not."""
    with scripted(tmp_path / "s", None) as seen:
        process = await start(*words, **at(tmp_path / "s"))
        await until(lambda: seen)
        process.send_signal(signal.SIGINT)
        ended = await end(process)
    assert (ended.code, ended.out, ended.err) == (1, "", "\nAborted!\n")


async def test_the_table_and_the_json_of_the_status(tmp_path: Path):
    async with whole(tmp_path, FakeIam()):
        await get(tmp_path / "s", "/v1/token")
        ended = await broker("status", **at(tmp_path / "s"))
        head, row = ended.out.splitlines()
        assert head.split()[:2] == ["IDENTITY", "STATE"]
        assert row.split()[:2] == ["default", "fresh"]
        assert "fake-user-project" in row
        ended = await broker("status", "--json", **at(tmp_path / "s"))
        assert json.loads(ended.out)["identities"][0]["state"] == "fresh"
        assert (ended.code, ended.err) == (0, "")


async def test_several_identities_are_asked_for_by_name(tmp_path: Path):
    async with house(tmp_path, "build", "shop") as served:
        for name in ("build", "shop"):
            await served.issued(name)
        assert (await broker("token", "shop", **at(served.path))).out == "token-of-shop\n"
        told = (await broker("token", **at(served.path))).one_sentence(1)
        assert told.startswith("identity_required: you may read build, shop;")
        rows = (await broker("status", **at(served.path))).out.splitlines()
        assert [row.split()[0] for row in rows] == ["IDENTITY", "build", "shop"]


async def test_denied_is_77(tmp_path: Path):
    async with house(tmp_path, "default", policy=Refusing()) as served:
        for args in (("token",), ("token", "default")):
            told = (await broker(*args, **at(served.path))).one_sentence(77)
            assert told.startswith("access_denied: uid ")
        for word in (b"\xff", "..", "a/b", "%2e", "Default", ""):
            told = (await broker("token", word, **at(served.path))).one_sentence(77)
            assert told.startswith("what is given as an identity is no name of one")
        for args in (("status",), ("status", "--json"), ("projects",)):
            told = (await broker(*args, **at(served.path))).one_sentence(77)
            assert told.startswith("there is no identity that you may see; you need a grant")


@pytest.mark.skipif(os.geteuid() != 0, reason="calling as another user needs root")
async def test_another_user_is_denied_by_a_whole_broker():
    with open_folder() as folder:
        async with whole(folder, FakeIam()):
            environ = {**environment(at(folder / "s")), "PYTHONPATH": ROOT}
            process = await create_subprocess_exec(
                sys.executable, "-c", AS_STRANGER, stdout=PIPE, stderr=PIPE, env=environ
            )
            out, err = await process.communicate()
    assert (process.returncode, out) == (77, b"")
    assert err.decode().startswith("broker: access_denied: uid 54321 may not read this identity")


async def test_without_a_broker_it_is_69(tmp_path: Path):
    for args in (("token",), ("status",), ("projects",), ("projects", "a"), ("wait", "--timeout", "0")):
        told = (await broker(*args, **at(tmp_path / "s"))).one_sentence(69)
        assert told == f"no broker is running at {tmp_path}/s; start it with `broker run`"


async def test_without_a_token_it_is_69_with_the_reason_and_the_next_try(tmp_path: Path):
    iam = FakeIam()
    iam.faults.add("429:retry-after=120")
    async with whole(tmp_path, iam):
        told = (await broker("token", "--timeout", "0", **at(tmp_path / "s"))).one_sentence(69)
        while "not_ready" in told:  # the refusal of IAM may still be on its way
            told = (await broker("token", "--timeout", "1", **at(tmp_path / "s"))).one_sentence(69)
        assert told.startswith("no token: iam_throttled: ")
        assert "the broker tries again in 12" in told


@pytest.mark.parametrize(
    "args",
    [
        ("nonsense",),
        ("token", "--format", "xml"),
        ("token", "--timeout", "soon"),
        ("token", "a", "b"),
        ("token", "--min-ttl", "-1"),
        ("wait", "--timeout", "soon"),
        ("projects", "a", "b"),
        ("run", "--nonsense"),
        ("fake-iam", "--fault", "nonsense"),
    ],
)
async def test_wrong_usage_is_2(args: tuple[str, ...]):
    ended = await broker(*args)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("Usage: ")
    assert "Traceback" not in ended.err


async def test_bad_configuration_is_78_with_every_problem_on_a_line(tmp_path: Path):
    key_folder(tmp_path / "good", "id", "secret")
    config = tmp_path / "broker.toml"
    config.write_text(
        f'[iam]\nurl = "ftp://x"\n[log]\nlevel = "loud"\n'
        f'[identities.default]\nkeys = ["{tmp_path}/good"]\n[[listen]]\nunix = "{tmp_path}/s"\n'
    )
    ended = await broker("run", "--config", str(config))
    assert (ended.code, ended.out) == (78, "")
    lines = ended.err.splitlines()
    assert len(lines) == 2
    assert all(line.startswith("broker: ") and "; " in line for line in lines)
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize("environ", [{}, {"KAKAOCLOUD_APPLICATION_CREDENTIAL_ID": "only-half"}])
async def test_no_key_or_half_of_one_is_78(tmp_path: Path, environ: dict[str, str]):
    ended = await broker("run", RUNTIME_DIRECTORY=str(tmp_path), **environ)
    assert ended.one_sentence(78)


async def test_a_socket_that_is_taken_is_78_and_its_owner_stays(tmp_path: Path):
    async with whole(tmp_path, FakeIam()):
        told = (
            await broker(
                "run",
                RUNTIME_DIRECTORY=str(tmp_path),
                KAKAOCLOUD_BROKER_LISTEN=json.dumps([{"unix": f"{tmp_path}/s"}]),
                KAKAOCLOUD_APPLICATION_CREDENTIAL_ID="id",
                KAKAOCLOUD_APPLICATION_CREDENTIAL_SECRET="secret",
            )
        ).one_sentence(78)
        assert "belongs to a broker that is running" in told
        assert (await get(tmp_path / "s", "/livez"))[0] == 200


@pytest.mark.parametrize(("inode", "priority"), [(0, b"<3>"), (1, b"")])
async def test_a_failure_is_an_error_where_the_journal_reads_stderr_and_no_other_line_begins_so(
    tmp_path: Path, inode: int, priority: bytes
):
    """The variable is inherited by whoever a unit starts, wherever that sends its stderr."""
    with (tmp_path / "err").open("wb") as stream:
        place = os.fstat(stream.fileno())
        process = await create_subprocess_exec(
            *(sys.executable, "-m", "broker", "check", "--config", "/does/not/exist"),
            stdout=PIPE,
            stderr=stream,
            env=environment({"JOURNAL_STREAM": f"{place.st_dev}:{place.st_ino + inode}"}),
        )
        await process.communicate()
    assert process.returncode == 78
    assert (tmp_path / "err").read_bytes().startswith(priority + b"broker: /does/not/exist")
