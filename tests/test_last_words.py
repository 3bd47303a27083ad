"""Why the process ends: in the file that a kubelet has put there, whole, short, without secrets, and nowhere else."""

import os
from pathlib import Path

from broker.fakeiam.server import FakeIam
from broker.last_words import leave
from broker.summary import ending
from tests.app.whole import until, whole
from tests.cli.command import end, start_python

TOKEN = "gAAAAABmZm9v" + "aZ09-_" * 28 + "=="


def test_what_stood_there_is_replaced_and_secrets_are_cut_out(tmp_path: Path):
    file = tmp_path / "log"
    file.write_text("of another run, and longer than what comes")
    leave(f"bad: {TOKEN}", file)
    told = file.read_text()
    assert told.startswith("bad: ")
    assert TOKEN not in told
    assert "another run" not in told


def test_it_is_no_longer_than_kubernetes_keeps(tmp_path: Path):
    file = tmp_path / "log"
    file.touch()
    leave("word " * 5000, file)
    assert file.stat().st_size == 4096


def test_nothing_is_made_or_followed_and_nothing_fails(tmp_path: Path):
    leave("text", tmp_path / "none")
    assert not (tmp_path / "none").exists()
    (tmp_path / "target").write_text("kept")
    (tmp_path / "link").symlink_to(tmp_path / "target")
    leave("text", tmp_path / "link")
    assert (tmp_path / "target").read_text() == "kept"
    os.mkfifo(tmp_path / "pipe")
    leave("text", tmp_path / "pipe")
    leave("text", tmp_path)


async def test_an_ending_says_how_the_identities_stood_and_why_there_is_no_token(tmp_path: Path):
    iam = FakeIam()
    iam.faults.add("503")
    async with whole(tmp_path, iam) as broker:
        keyring = broker.desk.keyring
        await until(lambda: keyring["default"].lease.trouble is not None)
        first, why = ending(keyring, broker.desk.clock.now()).split("\n")
        assert first.startswith(
            "Ended by a signal: 1 identity; without a token: default; degraded: iam_unavailable"
        )
        assert why.startswith("default: ")
        iam.faults.clear()
        await until(lambda: keyring["default"].lease.held is not None)
        assert ending(keyring, broker.desk.clock.now()).startswith(
            "Ended by a signal: 1 identity, next refresh in"
        )


_RUN = """
import sys
from pathlib import Path
from broker import last_words
from broker.__main__ import main
last_words.FILE = Path({file!r})
sys.argv[1:] = ["run"]
main()
"""


async def test_a_bad_configuration_leaves_all_its_problems(tmp_path: Path):
    file, config = tmp_path / "log", tmp_path / "broker.toml"
    file.touch()
    config.write_text("[lgo]\n[iam]\nurl = 1\n")
    program = _RUN.format(file=str(file))
    ended = await end(await start_python(program, KAKAOCLOUD_BROKER_CONFIG=str(config)))
    assert ended.code == 78
    assert file.read_text().splitlines() == [line.removeprefix("broker: ") for line in ended.err.splitlines()]
    assert len(file.read_text().splitlines()) >= 2


async def test_a_signal_leaves_how_the_identities_stood(tmp_path: Path):
    file, iam = tmp_path / "log", FakeIam()
    file.touch()
    async with iam.serve() as url:
        process = await start_python(
            _RUN.format(file=str(file)),
            KAKAOCLOUD_APPLICATION_CREDENTIAL_ID=iam.key.id,
            KAKAOCLOUD_APPLICATION_CREDENTIAL_SECRET=iam.key.secret,
            KAKAOCLOUD_BROKER_IAM__URL=url,
            KAKAOCLOUD_BROKER_LISTEN=f'[{{"unix": "{tmp_path}/s"}}]',
            RUNTIME_DIRECTORY=str(tmp_path),
        )
        await until(lambda: iam.counters.issued)
        await until((tmp_path / "s").exists)
        process.terminate()
        assert (await end(process)).code == 0
    assert file.read_text().startswith("Ended by a signal: 1 identity")
