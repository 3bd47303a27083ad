"""Refusals are problem+json with a code, and show nothing of the inside."""

import os
import sys
from asyncio import create_subprocess_exec
from pathlib import Path
from subprocess import PIPE

import pytest

from broker.core.access import Owner, Policy, Verdict, Workload
from broker.observability import logs
from tests.callers.folders import open_folder
from tests.serving.house import Answer, house

CANARY = "gAAAAABcanarycanarycanarycanarycanarycanary"

STRANGER = """
import os, socket, sys
os.setgroups([])
os.setgid(54321)
os.setuid(54321)
for target in sys.argv[2:]:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(sys.argv[1])
        connection.sendall(f"GET {target} HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n".encode())
        status, _, rest = connection.makefile("rb").read().decode().partition("\\r\\n")
        print(status.split()[1], "access_denied" in rest, "54321" in rest)
"""


class Broken:
    """A policy with a defect that knows a secret."""

    def may_read(self, workload: Workload, identity: str) -> Verdict:
        raise ZeroDivisionError(f"{CANARY} {identity} {workload}")

    def may_view(self, workload: Workload, identity: str) -> Verdict:
        return self.may_read(workload, identity)

    def reads_anything(self, workload: Workload) -> bool:
        del workload
        return True


def problem(answer: Answer, status: int, code: str) -> None:
    assert (answer.status, answer.tree["status"], answer.tree["code"]) == (status, status, code)
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.tree["detail"]
    assert answer.tree["title"] == code.replace("_", " ")
    assert answer.tree["type"] == "about:blank"


@pytest.mark.parametrize("target", ["/", "/v1", "/v1/identities/", "/v1/token/", "/v2/token"])
async def test_a_path_that_is_not_there_is_404(tmp_path: Path, target: str):
    async with house(tmp_path, "default") as broker:
        answer = await broker.get(target)
        problem(answer, 404, "not_found")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
@pytest.mark.parametrize("target", ["/v1/token", "/v1/identities/default", "/livez"])
async def test_a_method_that_the_path_does_not_know_is_405_and_names_those_it_does(
    tmp_path: Path, method: str, target: str
):
    async with house(tmp_path, "default") as broker:
        answer = await broker.get(target, method)
        problem(answer, 405, "method_not_allowed")
        assert set(answer.headers["Allow"].split(",")) == {"GET", "HEAD"}


@pytest.mark.parametrize("target", ["/v1/token", "/livez"])
async def test_a_request_that_announces_a_large_body_is_413(tmp_path: Path, target: str):
    async with house(tmp_path, "default") as broker:
        answer = await broker.get(target, data=b"x" * (16 * 1024 + 1))
        problem(answer, 413, "too_large")
        assert broker.issuers["default"].asked == 0


@pytest.mark.parametrize("form", ["json", "console"])
async def test_a_defect_shows_nothing_to_the_caller_and_is_redacted_in_the_log(
    tmp_path: Path, form, capfd: pytest.CaptureFixture[str]
):
    logs.configure("debug", form)
    async with house(tmp_path, "default", policy=Broken()) as broker:
        answer = await broker.get("/v1/token")
        problem(answer, 500, "internal")
        for inside in (CANARY, "ZeroDivision", "Traceback", "broker/", "uid=", "54321"):
            assert inside not in str(answer)
        assert answer.tree["detail"] == "a defect in the broker; its log says more"
    log = capfd.readouterr().err
    assert "request_defect" in log
    assert "ZeroDivisionError" in log
    assert "***" in log
    assert CANARY not in log


@pytest.mark.skipif(os.geteuid() != 0, reason="calling as another user needs root")
async def test_another_user_is_denied_everything_but_health():
    with open_folder() as folder:
        policy = Policy(Owner(os.getuid(), in_container=False))
        async with house(folder, "default", policy=policy) as broker:
            await broker.issued()
            assert (await broker.get("/v1/token")).status == 200
            targets = (
                "/v1/token",
                "/v1/identities/default/token",
                "/v1/identities/default",
                "/livez",
                "/readyz",
            )
            child = await create_subprocess_exec(
                sys.executable, "-c", STRANGER, broker.path, *targets, stdout=PIPE
            )
            told, _ = await child.communicate()
            denied, served = "403 True True", "200 False False"
            assert told.decode().splitlines() == [denied, denied, denied, served, served]


async def test_a_caller_whom_the_kernel_does_not_name_gets_nothing(tmp_path: Path):
    """No evidence, no access, whatever the policy would say; health needs none."""
    async with house(tmp_path, "default", prove=lambda _: None) as broker:
        await broker.issued()
        for target in (
            "/v1/token",
            "/v1/identities",
            "/v1/identities/default",
            "/v1/identities/default/token",
        ):
            answer = await broker.get(target)
            problem(answer, 403, "caller_unknown")
        assert (await broker.get("/livez")).status == 200
