"""Where the cache goes when nobody says."""

from pathlib import Path

import pytest

from broker.settings.defaults import SYSTEM_CACHE, default_cache

STATE = {"STATE_DIRECTORY": "/var/lib/kakaocloud-broker:/var/lib/more"}
RUNTIME = {"RUNTIME_DIRECTORY": "/run/kakaocloud-broker:/run/kakaocloud-broker-state"}
SESSION = {"XDG_RUNTIME_DIR": "/run/user/1000"}


@pytest.mark.parametrize(
    ("environ", "system", "told"),
    [
        (STATE | RUNTIME | SESSION, True, "/var/lib/kakaocloud-broker"),
        (RUNTIME | SESSION, True, "/run/kakaocloud-broker-state"),
        ({"RUNTIME_DIRECTORY": "/run/shop-state:/run/shop"} | SESSION, True, "/run/shop-state"),
        (SESSION, True, "/run/kakaocloud-broker-state"),
        (SESSION, False, "/run/user/1000/kakaocloud-broker-state"),
        ({}, True, "/run/kakaocloud-broker-state"),
        ({"STATE_DIRECTORY": "", "RUNTIME_DIRECTORY": "", "XDG_RUNTIME_DIR": ""}, True, str(SYSTEM_CACHE)),
    ],
)
def test_the_first_folder_that_there_is(environ: dict[str, str], system: bool, told: str):
    assert default_cache(environ, lambda folder: system and folder == SYSTEM_CACHE) == Path(told)


@pytest.mark.parametrize(
    "environ",
    [
        {},
        # The socket's folder is no place for it: workloads enter there, and it goes with the service.
        {"RUNTIME_DIRECTORY": "/run/kakaocloud-broker"},
        {"STATE_DIRECTORY": "", "RUNTIME_DIRECTORY": "", "XDG_RUNTIME_DIR": ""},
    ],
)
def test_without_a_folder_there_is_no_cache(environ: dict[str, str]):
    assert default_cache(environ, lambda _: False) is None
