"""The commands of a client against servers that say what the test wants, as processes."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from broker.client import fetch
from tests.cli.command import ROOT, at, broker, environment, start_python
from tests.client.scripted import answered, bare, loopback, scripted

pytestmark = pytest.mark.e2e

GOOD = bare(b"gA'$x")
PROJECT = {"id": "p1", "name": "shop", "domain_id": "d", "enabled": True}
BROKEN = """
import sys
from broker.__main__ import main
from broker.client import fetch
def fail(*args): raise KeyError("a secret")
fetch.bare_token = fail
sys.argv[:] = ["broker", "token"]
main()
"""


@pytest.mark.parametrize(
    ("form", "printed"),
    [
        ("text", "gA'$x\n"),
        ("json", '{"token": "gA\'$x", "identity": "default"}\n'),
        ("header", "X-Auth-Token: gA'$x\n"),
        ("env", "export OS_TOKEN='gA'\\''$x'\n"),
    ],
)
async def test_the_forms_of_a_token(tmp_path: Path, form: str, printed: str):
    """Rule: JSON is asked for by who prints it alone."""
    told = answered(200, {"token": "gA'$x", "identity": "default"}) if form == "json" else GOOD
    with scripted(tmp_path / "s", told) as seen:
        ended = await broker("token", "--format", form, **at(tmp_path / "s"))
    assert (ended.code, ended.out, ended.err) == (0, printed, "")
    assert (b"\r\nAccept: application/json\r\n" in seen[0]) is (form == "json")
    assert (b"\r\nAccept: text/plain\r\n" in seen[0]) is (form != "json")


async def test_a_life_may_be_asked_for(tmp_path: Path):
    refusal = answered(503, {"code": "min_ttl_unavailable", "detail": "ask for less"})
    with scripted(tmp_path / "s", refusal) as seen:
        told = (await broker("token", "a", "--min-ttl", "10m", **at(tmp_path / "s"))).one_sentence(69)
    assert told == "no token: min_ttl_unavailable: ask for less"
    assert seen[0].split()[1] == b"/v1/identities/a/token?min_ttl=600"


async def test_over_loopback_past_every_proxy():
    server, port = loopback()
    nowhere = "http://127.0.0.1:1"
    with scripted(server, GOOD) as seen:
        ended = await broker(
            "token", KAKAOCLOUD_BROKER_URL=f"http://localhost:{port}", http_proxy=nowhere, ALL_PROXY=nowhere
        )
    assert (ended.code, ended.out) == (0, "gA'$x\n")
    assert b"\r\nMetadata: true\r\n" in seen[0]


@pytest.mark.parametrize("command", ["token", "status", "wait", "projects"])
async def test_a_place_that_is_not_on_this_host_is_69_at_once(command: str):
    told = (await broker(command, KAKAOCLOUD_BROKER_URL="http://broker.example.com:9780")).one_sentence(69)
    assert told.startswith("KAKAOCLOUD_BROKER_URL must be unix:///PATH or http://127.0.0.1:PORT")
    assert told.endswith("; its host is not this one")


async def test_waiting_ends_with_0_and_no_word_once_ready(tmp_path: Path):
    not_yet = answered(503, {"ready": False, "reason": "not_ready"})
    with scripted(tmp_path / "s", not_yet, answered(200, {"ready": True})):
        ended = await broker("wait", **at(tmp_path / "s"))
    assert (ended.code, ended.out, ended.err) == (0, "", "")


async def test_waiting_in_vain_is_69_with_the_reason(tmp_path: Path):
    body = {"ready": False, "state": "empty", "reason": "key_rejected", "detail": "give another"}
    with scripted(tmp_path / "s", answered(503, body)):
        told = (await broker("wait", "shop", "--timeout", "0", **at(tmp_path / "s"))).one_sentence(69)
    assert told == "no usable token for shop: key_rejected: give another"
    told = (await broker("wait", "--timeout", "0.1s", **at(tmp_path / "none"))).one_sentence(69)
    assert told.startswith("no broker is running at ")


async def test_projects_for_people_and_for_programs(tmp_path: Path):
    row = dict.fromkeys(fetch._ROW) | {"identity": "shop"}
    listed = answered(200, {"identities": [row]})
    with scripted(tmp_path / "s", listed, answered(200, {"projects": [PROJECT]})):
        ended = await broker("projects", **at(tmp_path / "s"))
        assert (ended.code, ended.out) == (0, "NAME  ID  DOMAIN  ENABLED\nshop  p1  d       yes\n")
        ended = await broker("projects", "shop", "--json", **at(tmp_path / "s"))
        assert json.loads(ended.out) == {"projects": [PROJECT]}


@pytest.mark.parametrize(
    ("words", "at_word", "offered"),
    [
        ("broker ", 1, {"plain,token", "plain,status", "plain,wait", "plain,projects"}),
        ("broker st", 1, {"plain,status"}),
        ("broker --ver", 1, {"plain,--version"}),
        ("broker token --f", 2, {"plain,--format", "plain,--follow"}),
        ("broker token --format h", 3, {"plain,header"}),
    ],
)
async def test_the_shell_completes(words: str, at_word: int, offered: set[str]):
    ended = await broker(_BROKER_COMPLETE="bash_complete", COMP_WORDS=words, COMP_CWORD=str(at_word))
    assert ended.code == 0
    assert offered <= set(ended.out.splitlines())
    assert len(offered) == len(ended.out.splitlines()) or at_word == 1


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
async def test_the_completion_of_each_shell_calls_the_command(shell: str):
    ended = await broker(_BROKER_COMPLETE=f"{shell}_source")
    assert ended.code == 0
    assert f"_BROKER_COMPLETE={shell}_complete" in ended.out


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_the_line_of_the_page_completes_in_bash():
    page = (ROOT / "docs/use.md").read_text()
    line = next(line.strip() for line in page.splitlines() if "_BROKER_COMPLETE=bash_source" in line)
    script = f'broker() {{ "$PYTHON" -m broker "$@"; }}; export -f broker; {line}; complete -p broker'
    ended = subprocess.run(
        ["bash", "-c", script],
        capture_output=True,
        text=True,
        check=False,
        env=environment({"PYTHON": sys.executable}),
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "-F _broker_completion broker" in ended.stdout


async def test_an_unforeseen_fault_is_one_sentence_and_no_secret():
    told: list[str] = []
    cases: tuple[dict[str, str], ...] = ({}, {"KAKAOCLOUD_BROKER_TRACEBACK": "1"})
    for changes in cases:
        process = await start_python(BROKEN, **changes)
        out, err = await process.communicate()
        assert (process.returncode, out) == (1, b"")
        told.append(err.decode())
    assert told[0] == (
        "broker: unforeseen fault (KeyError); set KAKAOCLOUD_BROKER_TRACEBACK=1 to see where, and report it\n"
    )
    assert "Traceback" in told[1]
