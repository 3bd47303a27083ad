"""A key from the environment, which is then wiped."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from broker.identity.environment import EnvironmentSource
from tests.identity.keys import BY_ID, BY_NAME, SECRET, refusal

KAKAOCLOUD = {
    "KAKAOCLOUD_APPLICATION_CREDENTIAL_ID": BY_ID.id,
    "KAKAOCLOUD_APPLICATION_CREDENTIAL_SECRET": SECRET,
}
OPENSTACK = {"OS_APPLICATION_CREDENTIAL_ID": BY_ID.id, "OS_APPLICATION_CREDENTIAL_SECRET": SECRET}
BY_NAME_FIELDS = {
    "OS_APPLICATION_CREDENTIAL_NAME": BY_NAME.name,
    "OS_USER_ID": BY_NAME.user_id,
    "OS_APPLICATION_CREDENTIAL_SECRET": SECRET,
}


def test_both_families_and_both_methods_are_read():
    assert EnvironmentSource(dict(KAKAOCLOUD)).read() == BY_ID
    assert EnvironmentSource(dict(OPENSTACK)).read() == BY_ID
    assert EnvironmentSource(dict(BY_NAME_FIELDS)).read() == BY_NAME


@pytest.mark.parametrize(
    "environ",
    [
        {**KAKAOCLOUD, **OPENSTACK},
        {**KAKAOCLOUD, "OS_USER_ID": "of a password"},
        {**OPENSTACK, "OS_USER_ID": "of a password", "OS_APPLICATION_CREDENTIAL_NAME": ""},
        {**KAKAOCLOUD, "OS_APPLICATION_CREDENTIAL_ID": "", "OS_APPLICATION_CREDENTIAL_SECRET": ""},
    ],
)
def test_what_does_not_contradict_is_accepted(environ: dict[str, str]):
    assert EnvironmentSource(environ).read() == BY_ID


@pytest.mark.parametrize(
    ("environ", "sentences"),
    [
        (
            {},
            [
                (
                    "the environment: holds no access key; "
                    "export KAKAOCLOUD_APPLICATION_CREDENTIAL_ID and KAKAOCLOUD_APPLICATION_CREDENTIAL_SECRET"
                ),
            ],
        ),
        (
            {**KAKAOCLOUD, **BY_NAME_FIELDS},
            [
                (
                    "the environment: the variables KAKAOCLOUD_APPLICATION_CREDENTIAL_* and "
                    "OS_APPLICATION_CREDENTIAL_* give different keys; unset one family"
                ),
            ],
        ),
        (
            {"KAKAOCLOUD_APPLICATION_CREDENTIAL_ID": "x"},
            [
                (
                    "KAKAOCLOUD_APPLICATION_CREDENTIAL_SECRET: is missing; "
                    "give the key's secret, which the console shows only once"
                ),
            ],
        ),
        (
            {**KAKAOCLOUD, "KAKAOCLOUD_APPLICATION_CREDENTIAL_SECRET": ""},
            [
                (
                    "KAKAOCLOUD_APPLICATION_CREDENTIAL_SECRET: is empty; "
                    "write the value alone: no quotes, spaces or further lines"
                ),
            ],
        ),
        (
            {"OS_APPLICATION_CREDENTIAL_NAME": "x", "OS_APPLICATION_CREDENTIAL_SECRET": SECRET},
            ["OS_USER_ID: is missing; a key given by name needs its user's id too"],
        ),
        (
            {**OPENSTACK, **BY_NAME_FIELDS},
            [
                (
                    "the environment: gives a key both by OS_APPLICATION_CREDENTIAL_ID and by "
                    "OS_APPLICATION_CREDENTIAL_NAME; keep OS_APPLICATION_CREDENTIAL_ID and "
                    "OS_APPLICATION_CREDENTIAL_SECRET, or OS_APPLICATION_CREDENTIAL_NAME, OS_USER_ID and "
                    "OS_APPLICATION_CREDENTIAL_SECRET"
                ),
            ],
        ),
    ],
)
def test_what_is_wrong_is_told_at_every_reading(environ: dict[str, str], sentences: list[str]):
    source = EnvironmentSource(environ)
    assert sentences == refusal(source.read)
    assert sentences == refusal(source.read)


def test_the_key_is_held_and_the_secrets_are_unset():
    environ = {**KAKAOCLOUD, **OPENSTACK, "OTHER": "stays"}
    source = EnvironmentSource(environ)
    assert source.where == "the environment"
    source.read()
    assert set(environ) == {
        "KAKAOCLOUD_APPLICATION_CREDENTIAL_ID",
        "OS_APPLICATION_CREDENTIAL_ID",
        "OTHER",
    }
    assert source.read() == BY_ID


WIPE = """
import os, subprocess, sys
from pathlib import Path
from broker.identity.environment import EnvironmentSource
block = lambda: Path("/proc/self/environ").read_bytes()
before, source = block(), EnvironmentSource()
key = source.read()
after = block()
child = subprocess.run(["env"], capture_output=True, check=True).stdout
print(before.count(b"canary"), after.count(b"canary"), child.count(b"canary"))
print(b"KAKAOCLOUD_APPLICATION_CREDENTIAL_ID=" in after, b"OTHER=stays" in after, len(before) == len(after))
print(key == source.read(), key.secret.reveal() == sys.argv[1])
"""


def run(environ: dict[str, str]) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", WIPE, "".join(["canary", SECRET.removeprefix("canary")])],
        check=True,
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(Path.cwd()), "PATH": os.environ["PATH"], **environ},
    )
    return done.stdout.splitlines()


def test_the_kernel_shows_no_secret_afterwards():
    assert run({**KAKAOCLOUD, **OPENSTACK, "OTHER": "stays"}) == ["2 0 0", "True True True", "True True"]


EXEC_TWICE = """
import ctypes, os, sys
entries = [f"{n}={v}".encode() for n, v in os.environ.items()]
entries.append(b"KAKAOCLOUD_APPLICATION_CREDENTIAL_SECRET=canary-second")
block = (ctypes.c_char_p * (len(entries) + 1))(*entries, None)
argv = [a.encode() for a in [sys.executable, "-c", *sys.argv[1:]]]
ctypes.CDLL(None).execve(argv[0], (ctypes.c_char_p * (len(argv) + 1))(*argv, None), block)
"""


def test_a_variable_that_is_there_twice_is_wiped_twice():
    """`getenv` finds one of them; a parent that writes the block by hand may have put two."""
    done = subprocess.run(
        [sys.executable, "-c", EXEC_TWICE, WIPE, SECRET],
        check=True,
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(Path.cwd()), "PATH": os.environ["PATH"], **KAKAOCLOUD},
    )
    assert done.stdout.splitlines()[0] == "2 0 0"
