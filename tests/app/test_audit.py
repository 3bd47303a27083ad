"""The audit of a whole broker: what it writes, and that tokens are served whatever becomes of where it writes."""

import asyncio
import json
import os
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from broker.app import Broker, running
from broker.auditing import Auditing, open_audit
from broker.clock import BootClock
from broker.core.errors import ConfigError
from broker.fakeiam.server import FakeIam
from broker.identity.sources import Sources
from broker.observability.audit import Audit
from broker.observability.outlet import Outlet
from broker.serving.books import Unheard
from tests.app.whole import get, key_folder, settings, until
from tests.fakes.clock import FakeClock
from tests.observability.trail import CALLER, DIGEST, Gate, parsed
from tests.observability.trail import until as until_there


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("broker.observability.outlet.FIRST_PAUSE", 0.01)
    monkeypatch.setattr("broker.observability.outlet.LONGEST_PAUSE", 0.05)


@asynccontextmanager
async def audited(folder: Path, audit: Path | str) -> AsyncIterator[Broker]:
    """A broker with a token, and its audit trail there; another identity is for nobody."""
    iam = FakeIam()
    async with iam.serve() as url:
        keys = str(key_folder(folder / "keys", iam.key.id, iam.key.secret))
        tree = settings(
            folder,
            {"default": {"keys": [keys]}, "other": {"keys": [keys]}},
            iam={"url": url},
            log={"audit": str(audit)},
            cache={"off": True},  # which a busy disk would make another reason to be degraded
            grants=[{"identity": "default", "users": [os.getuid()]}],
        )
        async with running(tree, Sources({}), BootClock()) as broker:
            assert (await get(folder / "s", "/v1/token", "Prefer: wait=30"))[0] == 200
            yield broker


async def served(folder: Path) -> bool:
    return (await get(folder / "s", "/v1/token"))[0] == 200


async def degraded(folder: Path) -> list[str]:
    codes: list[str] = (await get(folder / "s", "/readyz/default"))[1]["degraded"]
    return codes


async def lost(folder: Path) -> float:
    reader, writer = await asyncio.open_unix_connection(folder / "s")
    writer.write(b"GET /metrics HTTP/1.1\r\nHost: broker\r\nConnection: close\r\n\r\n")
    text = (await reader.read()).decode()
    writer.close()
    return next(
        float(line.split()[1]) for line in text.splitlines() if line.startswith("broker_audit_lost_total ")
    )


async def test_tokens_and_refusals_are_in_a_file_and_all_of_them_once_it_ends(tmp_path: Path):
    trail = tmp_path / "audit.log"
    async with audited(tmp_path, trail) as broker:
        held = broker.desk.keyring["default"].lease.held
        assert held is not None
        for _ in range(9):
            assert await served(tmp_path)
        for name in ("other", "no-such-identity"):
            assert (await get(tmp_path / "s", f"/v1/identities/{name}/token"))[0] == 403
        assert (await get(tmp_path / "s", "/v1/token", "Origin: https://evil.example"))[0] == 403
        assert await lost(tmp_path) == 0
    lines = parsed(trail.read_bytes())
    tokens = [line for line in lines if line["event"] == "token"]
    assert [line["times"] for line in tokens] == [1, 9]
    for line in tokens:
        who = (line["uid"], line["gid"], line["pid"], line["listener"])
        assert who == (os.getuid(), os.getgid(), os.getpid(), str(tmp_path / "s"))
        assert (line["identity"], line["decision"], line["by"]) == ("default", "allowed", "grants[0]")
        assert line["token_sha256"] == held.token.digest[:12]
        assert 0 < line["life_left"] <= 12 * 3600
    assert [
        (line["decision"], line["identity"], line["by"]) for line in lines if line["event"] == "refusal"
    ] == [
        ("access_denied", "other", "no grant"),
        ("access_denied", None, "no grant"),
        ("browser_request", None, "gate browser"),
    ]
    assert "evil" not in trail.read_text()
    assert "no-such" not in trail.read_text()
    assert held.token.value.reveal() not in trail.read_text()


async def test_a_disk_that_goes_away_costs_no_token_and_shows_everywhere(tmp_path: Path):
    folder, away = tmp_path / "logs", tmp_path / "away"
    folder.mkdir()
    with capture_logs() as told:
        async with audited(tmp_path, folder / "a") as broker:
            await until(lambda: (folder / "a").stat().st_size)
            folder.rename(away)
            broker.desk.auditor.refused(None, "/s", None, "caller_unknown", "proof", 0.0)
            async with asyncio.timeout(20):
                while "audit_failed" not in await degraded(tmp_path):
                    assert await served(tmp_path)
            assert await lost(tmp_path) >= 1
            _, state = await get(tmp_path / "s", "/v1/identities/default")
            details = {reason["code"]: reason["detail"] for reason in state["reasons"]}
            assert details["audit_failed"] == (
                f"the audit trail cannot be written to {folder}/a (no such file or directory); "
                f"create its folder: install -d -m 0700 -o {os.geteuid()} {folder}"
            )
            assert await degraded(tmp_path) == ["audit_failed"]
            assert (await get(tmp_path / "s", "/readyz"))[0] == 200, "tokens are served"
            await until(lambda: named(told, "audit_failed"))
            away.rename(folder)
            await until(lambda: named(told, "audit_recovered"))
            assert await degraded(tmp_path) == []
    failed, recovered = named(told, "audit_failed"), named(told, "audit_recovered")
    assert [(line["log_level"], line["detail"]) for line in failed] == [("warning", details["audit_failed"])]
    assert [(line["log_level"], line["lost"]) for line in recovered] == [("info", 1)]
    assert [line["event"] for line in parsed((folder / "a").read_bytes())][:2] == ["token", "lost"]


def named(told: list[Any], event: str) -> list[dict[str, Any]]:
    return [dict(line) for line in told if line["event"] == event]


async def test_a_folder_that_is_missing_at_the_start_is_a_mistake_and_nothing_is_served(tmp_path: Path):
    threads = threading.active_count()
    with pytest.raises(ConfigError, match="create its folder"):
        async with audited(tmp_path, tmp_path / "no" / "audit.log"):
            pass
    assert not (tmp_path / "s").exists()
    assert threading.active_count() == threads


async def test_off_is_no_outlet_at_all(tmp_path: Path):
    threads = threading.active_count()
    with open_audit("off", FakeClock()) as auditing:
        assert threading.active_count() == threads
        assert isinstance(auditing.auditor, Unheard)
        auditing.tick(0.0)
        assert (auditing.lost(), auditing.ailments()) == (0, {})
    async with audited(tmp_path, "off"):
        assert await lost(tmp_path) == 0


def test_stdout_is_written_to_by_its_number_and_journald_by_its_socket(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    with open_audit("stdout", FakeClock()) as auditing:
        auditing.auditor.handed(CALLER, "default", "owner", DIGEST, 60.0, 0.0)
    assert json.loads(capfd.readouterr().out)["event"] == "token"
    monkeypatch.setattr("broker.auditing.ToJournald", Gate)
    with open_audit("journald", FakeClock()) as auditing:
        assert auditing.ailments() == {}


class Told:
    """An audit whose outlet fails as a test says, ticked by it, and what the log says."""

    def __init__(self) -> None:
        self.gate = Gate()
        self.outlet = Outlet(self.gate, FakeClock().wall)
        self.auditing = Auditing(Audit(self.outlet, FakeClock().wall), self.outlet)
        self.asked = 0

    def fails(self) -> None:
        self.gate.error = OSError(28, "No space left on device")
        self.asked += 1
        self.auditing.auditor.refused(None, f"/{self.asked}", None, "caller_unknown", "proof", 0.0)
        until_there(lambda: self.outlet.trouble)

    def works(self) -> None:
        self.gate.error = None
        until_there(lambda: self.outlet.trouble is None)

    def ticks(self, now: float) -> list[tuple[str, int]]:
        with capture_logs() as told:
            self.auditing.tick(now)
        return [(line["event"], line["lost"]) for line in told]


def test_trouble_is_told_once_with_its_end_and_at_most_once_a_minute():
    told = Told()
    assert told.ticks(0.0) == []
    told.fails()
    assert [told.ticks(now) for now in (1.0, 2.0, 3.0)] == [[("audit_failed", 1)], [], []]
    told.works()
    assert [told.ticks(now) for now in (4.0, 5.0)] == [[("audit_recovered", 1)], []]
    told.fails()
    assert [told.ticks(now) for now in (6.0, 60.0)] == [[], []]
    assert told.ticks(61.0) == [("audit_failed", 1)]
    told.works()
    assert told.ticks(62.0) == [("audit_recovered", 1)]
    told.auditing.close()


def test_what_the_end_could_not_write_is_said_by_the_log():
    told = Told()
    told.fails()
    with capture_logs() as log:
        told.auditing.close()
    assert [(line["event"], line["lost"]) for line in log] == [("audit_failed", 1)]
    assert "no space left" in log[0]["detail"]
