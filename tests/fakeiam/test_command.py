"""`broker fake-iam` as a person runs it."""

import shlex
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from click.testing import CliRunner

from broker.cli.fake_iam import fake_iam

COMMAND = [sys.executable, "-c", "from broker.cli.fake_iam import fake_iam; fake_iam()"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_prints_what_a_user_needs_and_ends_cleanly(number: signal.Signals):
    """Five export lines on stdout, one line per request on stderr, exit 0 on a signal."""
    with subprocess.Popen(
        [*COMMAND, "--port", "0", "--fault", "503:times=1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        lines = [shlex.split(process.stdout.readline())[1].partition("=") for _ in range(5)]
        exported = {name: value for name, _, value in lines}
        with pytest.raises(urllib.error.HTTPError) as error:
            urllib.request.urlopen(exported["OS_AUTH_URL"])  # noqa: S310  (our own loopback URL)
        error.value.close()
        process.send_signal(number)
        out, log = process.communicate(timeout=30)
    assert process.returncode == 0
    assert out == ""
    assert log == "GET /identity/v3 503\n"
    assert len(exported["KAKAOCLOUD_APPLICATION_CREDENTIAL_ID"]) == 32
    assert exported["KAKAOCLOUD_BROKER_IAM__URL"] == exported["OS_AUTH_URL"]
    server = exported["OS_AUTH_URL"].removesuffix("/identity/v3")
    assert exported["KAKAOCLOUD_BROKER_S3__URL"] == f"{server}/s3/{{region}}"
    assert len(exported["KAKAOCLOUD_APPLICATION_CREDENTIAL_SECRET"]) == 86


def test_a_taken_port_is_one_sentence():
    """On stderr, exit 1."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = subprocess.run([*COMMAND, "--port", port], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == f"broker: port {port} on 127.0.0.1 cannot be used; choose another with --port.\n"


def test_a_given_secret_is_not_repeated(tmp_path: Path):
    """The export line reads the file; the secret is in no output."""
    secret = tmp_path / "my secret"
    secret.write_text("planted\n")
    with subprocess.Popen(
        [*COMMAND, "--port", "0", "--key-id", "abc", "--key-secret-file", str(secret)],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(4)]
        process.terminate()
    assert lines[0] == "export KAKAOCLOUD_APPLICATION_CREDENTIAL_ID=abc\n"
    shown = subprocess.run(
        ["sh", "-c", lines[1] + 'printf %s "$KAKAOCLOUD_APPLICATION_CREDENTIAL_SECRET"'],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert shown.stdout == "planted"
    assert "planted" not in "".join(lines)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--fault", "nix"], "fault 'nix' is not known; known are latency"),
        (["--life", "long"], "'long' is not a duration"),
        (["--life", "0"], "between 1 second and 366 days"),
        (["--s3-life", "0"], "between 1 second and 12 hours"),
    ],
)
def test_bad_usage_is_exit_2_with_the_remedy(arguments: list[str], sentence: str):
    """Before anything is served."""
    ended = CliRunner().invoke(fake_iam, arguments)
    assert ended.exit_code == 2
    assert sentence in ended.output


def test_an_empty_secret_file_is_refused(tmp_path: Path):
    """An empty secret would never be accepted."""
    (tmp_path / "empty").write_text("\n")
    ended = CliRunner().invoke(fake_iam, ["--key-secret-file", str(tmp_path / "empty")])
    assert ended.exit_code == 2
    assert "put the secret in it" in ended.output
