"""`broker exec` becomes its command, or says why not: processes, against servers that say what the test wants."""

import asyncio
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

from broker.client.environment import environment
from broker.client.facade import Facade
from tests.cli.command import ROOT, Ended, at, broker, end, start
from tests.client.scripted import answered, loopback, scripted

pytestmark = pytest.mark.e2e

TOLD = {"identity": "shop", "urls": ["http://127.0.0.1:9780/identity/v3"], "client_secret": False}
WITH_SECRET = {**TOLD, "client_secret": True}
REAL = {
    "OS_PASSWORD": "real-key",
    "OS_CLOUD": "real-key",
    "KAKAOCLOUD_APPLICATION_CREDENTIAL_SECRET": "real-key",
    "AWS_SECRET_ACCESS_KEY": "real-key",
}
SECRET = "0123456789abcdef0123456789abcdef"


async def run(folder: Path, *words: str, told: object = TOLD, **environ: str) -> Ended:
    with scripted(folder / "s", answered(200, told)):
        return await broker("exec", *words, **at(folder / "s"), **environ)


def variables(ended: Ended) -> dict[str, str]:
    assert (ended.code, ended.err) == (0, "")
    lines = ended.out.removesuffix("\0").split("\0")
    return dict(line.split("=", 1) for line in lines)


async def test_the_command_has_the_environment_and_no_real_key(tmp_path: Path):
    made = variables(await run(tmp_path, "--s3", "--", "env", "-0", LC_CTYPE="C.UTF-8", **REAL))
    assert made["LC_CTYPE"] == "C.UTF-8"
    assert made["OS_AUTH_URL"] == "http://127.0.0.1:9780/identity/v3"
    assert made["OS_APPLICATION_CREDENTIAL_ID"] == "shop"
    assert made["AWS_CONTAINER_CREDENTIALS_FULL_URI"].endswith("/v1/identities/shop/s3-credentials")
    assert made["KAKAOCLOUD_BROKER_URL"] == f"unix://{tmp_path}/s"
    assert "real-key" not in made.values()


async def test_nothing_is_added_but_what_is_said(tmp_path: Path):
    """Rule: in the C locale, as under cron, Python sets a variable for itself; the command does not get it."""
    own = {"PATH": "/usr/bin:/bin", **at(tmp_path / "s")}
    with scripted(tmp_path / "s", answered(200, TOLD)):
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "broker", "exec", "--", "env", "-0"),
            stdout=PIPE,
            stderr=PIPE,
            env=own,
            cwd=ROOT,
        )
        made = variables(await end(process))
    facade = Facade("shop", "http://127.0.0.1:9780", client_secret=False)
    assert made == environment(own, facade, own["KAKAOCLOUD_BROKER_URL"])


async def test_a_broker_on_tcp_is_asked_and_told_of_in_the_same_way():
    server, port = loopback()
    place = f"http://127.0.0.1:{port}"
    with scripted(server, answered(200, TOLD)) as seen:
        made = variables(await broker("exec", "--", "env", "-0", KAKAOCLOUD_BROKER_URL=place))
    assert made["KAKAOCLOUD_BROKER_URL"] == place
    assert b"\r\nMetadata: true\r\n" in seen[0]


async def test_the_exit_code_is_the_commands(tmp_path: Path):
    ended = await run(tmp_path, "--", "sh", "-c", "echo said; exit 3")
    assert (ended.code, ended.out, ended.err) == (3, "said\n", "")


async def test_it_is_the_command_and_signals_are_its_own(tmp_path: Path):
    """Rule: one process, of one pid; and SIGPIPE, which Python ignores, ends the command as it would without."""
    with scripted(tmp_path / "s", answered(200, TOLD)):
        process = await start(
            "exec", "--", "sh", "-c", "echo $$; kill -PIPE $$; echo lived", **at(tmp_path / "s")
        )
        pid = process.pid
        ended = await end(process)
    assert (ended.code, ended.out, ended.err) == (-13, f"{pid}\n", "")


async def test_a_script_that_names_no_interpreter_is_the_shells(tmp_path: Path):
    script = tmp_path / "script"
    script.write_text('echo "$1"\n')
    script.chmod(0o755)
    assert (await run(tmp_path, "--", str(script), "a b")).out == "a b\n"


async def test_what_keeps_it_from_the_command_ends_as_with_env(tmp_path: Path):
    """Rule: 125 for ours, 126 for what cannot be executed, 127 for what is not there; one sentence each."""
    assert "no command" in (await run(tmp_path, "--", "no-such-command")).one_sentence(127)
    (tmp_path / "s").unlink()
    assert "no command ''" in (await run(tmp_path, "--", "")).one_sentence(127)
    (tmp_path / "s").unlink()
    assert "Permission denied" in (await run(tmp_path, "--", str(tmp_path))).one_sentence(126)
    absent = await broker("exec", "--", "true", **at(tmp_path / "nowhere"))
    assert "broker run" in absent.one_sentence(125)
    wrong = await broker("exec", "--no-such-option", "--", "true", **at(tmp_path / "nowhere"))
    assert (wrong.code, wrong.out) == (125, "")
    assert "Usage: broker exec" in wrong.err
    refusal = answered(403, {"code": "access_denied", "detail": "you need a grant"})
    with scripted(tmp_path / "t", refusal):
        denied = await broker("exec", "--identity", "a", "--", "true", **at(tmp_path / "t"))
    assert denied.one_sentence(125) == "access_denied: you need a grant"


async def test_a_client_secret_that_is_wanted_and_not_given_is_told_before_anything_starts(tmp_path: Path):
    ended = await run(tmp_path, "--", "echo", "started", told=WITH_SECRET)
    assert "--client-secret-file" in ended.one_sentence(125)


async def test_the_client_secret_comes_from_its_file(tmp_path: Path):
    file = tmp_path / "secret"
    file.write_text(f"{SECRET}\n")
    file.chmod(0o640)
    words = ("--client-secret-file", str(file), "--", "env", "-0")
    made = variables(await run(tmp_path, *words, told=WITH_SECRET))
    assert made["OS_APPLICATION_CREDENTIAL_SECRET"] == SECRET


@pytest.mark.parametrize(
    ("content", "mode", "told"),
    [
        (SECRET, 0o644, "chmod o= "),
        ("", 0o600, "holds no client secret"),
        (f"{SECRET} {SECRET}", 0o600, "holds no client secret"),
        (f"{SECRET}\n{SECRET}\n", 0o600, "holds no client secret"),
        ("x" * 2000, 0o600, "holds no client secret"),
        (None, 0, "No such file"),
    ],
)
async def test_a_file_that_will_not_do_is_one_sentence(
    tmp_path: Path, content: str | None, mode: int, told: str
):
    """Rule: what was read is never repeated."""
    file = tmp_path / "secret"
    if content is not None:
        file.write_text(content)
        file.chmod(mode)
    ended = await run(tmp_path, "--client-secret-file", str(file), "--", "true", told=WITH_SECRET)
    sentence = ended.one_sentence(125)
    assert told in sentence
    assert SECRET not in sentence


async def test_with_a_token_it_says_that_nobody_refreshes_it(tmp_path: Path):
    token = answered(200, {"token": "gA-t", "expires_at": "2026-11-24T10:00:00.000000Z"})
    with scripted(tmp_path / "s", answered(200, TOLD), token) as seen:
        ended = await broker("exec", "--with-token", "--", "printenv", "OS_TOKEN", **at(tmp_path / "s"))
    assert (ended.code, ended.out) == (0, "gA-t\n")
    assert ended.err.count("\n") == 1
    assert "cannot be refreshed" in ended.err
    assert "2026-11-24T10:00:00.000000Z" in ended.err
    assert "gA-t" not in ended.err
    assert seen[1].startswith(b"GET /v1/identities/shop/token ")


@pytest.mark.parametrize("redirected", ["2>&-", "2>/dev/full"])
async def test_a_stderr_that_takes_nothing_changes_nothing_for_the_command(tmp_path: Path, redirected: str):
    """Rule: what we say is never in its output, and that it could not be said keeps nothing from its start."""
    token = answered(200, {"token": "gA-t", "expires_at": "2026-11-24T10:00:00.000000Z"})
    own = {"PATH": "/usr/bin:/bin", **at(tmp_path / "s")}
    words = (sys.executable, "-m", "broker", "exec", "--with-token", "--", "printenv", "OS_TOKEN")
    with scripted(tmp_path / "s", answered(200, TOLD), token):
        process = await asyncio.create_subprocess_exec(
            *("sh", "-c", f'exec "$@" {redirected}', "sh"),
            *words,
            stdout=PIPE,
            stderr=PIPE,
            env=own,
            cwd=ROOT,
        )
        ended = await end(process)
    assert (ended.code, ended.out) == (0, "gA-t\n")


async def test_a_login_of_aws_own_configuration_is_told_of_and_the_command_still_starts(tmp_path: Path):
    """Rule: where S3 is asked for; what is told is the option's name, never its value."""
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws/config").write_text("[default]\naws_access_key_id = real-key\n")
    ended = await run(tmp_path, "--s3", "--", "echo", "started", HOME=str(tmp_path))
    assert (ended.code, ended.out) == (0, "started\n")
    assert (
        f"use aws_access_key_id of [default] in {tmp_path}/.aws/config before they ask the broker"
        in ended.err
    )
    assert (ended.err.count("\n"), "real-key" in ended.err) == (1, False)
    (tmp_path / "s").unlink()
    assert (await run(tmp_path, "--", "true", HOME=str(tmp_path))).err == ""
    (tmp_path / "s").unlink()
    assert (
        await run(tmp_path, "--s3", "--", "true", HOME=str(tmp_path), AWS_CONFIG_FILE="/dev/null")
    ).err == ""
