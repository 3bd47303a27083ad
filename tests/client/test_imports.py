"""What a program loads with the client: next to nothing, and no part of the daemon."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.command import environment

ROOT = Path(__file__).parents[2]
FILES = {
    "address", "aio", "ask", "asking", "async_token_client", "failures", "fetch", "reply", "token", "token_client",
}  # fmt: skip
OURS = {f"broker.client.{name}" for name in FILES} | {
    "broker", "broker.client", "broker.core", "broker.core.reports", "broker.core.secret",
}  # fmt: skip
# What each adapter may have beside its library and the client itself.
ADAPTERS = {
    "requests": {"destination", "reporter", "requests"},
    "httpx": {"destination", "httpx", "reporter", "task_reporter"},
    "aiohttp": {"aiohttp", "destination", "reporter", "task_reporter"},
    "keystone": {"keystone", "keystone_token", "reporter"},
}


def said(program: str) -> list[str]:
    """The words that it prints, by an interpreter without `site`, whose additions are the environment's and not ours."""
    packages = next(path for path in sys.path if path.endswith("site-packages"))
    ended = subprocess.run(
        [sys.executable, "-S", "-c", program],
        env=environment({"PYTHONPATH": f"{ROOT}:{packages}"}),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return ended.stdout.split()


def loaded(line: str) -> set[str]:
    """The modules that are there after it and were not before."""
    return set(said(f"import sys; before = set(sys.modules)\n{line}\nprint(*(set(sys.modules) - before))"))


def test_the_package_itself_loads_nothing():
    assert loaded("import broker.client") == {"broker", "broker.client"}
    assert loaded("import broker.client; dir(broker.client)") == {"broker", "broker.client"}


def test_the_clients_load_the_standard_library_and_their_own_files_alone():
    modules = loaded("from broker.client import TokenClient, AsyncTokenClient, Insecure, ClientError")
    ours = {name for name in modules if name.partition(".")[0] == "broker"}
    assert ours == OURS | {"broker.client.destination"}
    assert {name.partition(".")[0] for name in modules - ours} <= sys.stdlib_module_names
    one = loaded("from broker.client import TokenClient")
    assert not {"asyncio", "ssl", "http", "urllib", "logging", "socket"} & one


@pytest.mark.parametrize("name", ADAPTERS)
def test_an_adapter_loads_its_library_and_no_part_of_the_daemon(name: str):
    modules = {each for each in loaded(f"import broker.client.{name}") if each.partition(".")[0] == "broker"}
    assert modules - OURS <= {f"broker.client.{each}" for each in ADAPTERS[name]}


@pytest.mark.alone
@pytest.mark.e2e  # so that no other test is beside it anywhere
@pytest.mark.parametrize(
    ("before", "line"),
    [
        ("", "import broker.client"),
        ("", "from broker.client import TokenClient"),
        ("import asyncio", "from broker.client import AsyncTokenClient"),
    ],
)
def test_it_is_there_in_less_than_50_ms(record_property, before: str, line: str):
    """Rule: of the processor's time, in the quickest of some, as the machine has other work too; who asks on a loop has one."""
    program = (
        f"import time\n{before}\nbegan = time.process_time()\n{line}\nprint(time.process_time() - began)"
    )
    took = min(float(said(program)[0]) for _ in range(10))
    record_property(line, f"{took * 1000:.1f} ms")
    print(f"{line}: {took * 1000:.1f} ms")  # noqa: T201
    assert took < 0.05
