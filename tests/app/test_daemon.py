"""`broker run` as a process: what it emits, where its key is, and how it ends."""

import asyncio
import json
import signal
from pathlib import Path

import pytest

from broker.fakeiam.server import FakeIam
from tests.app.canaries import SECRET, TOKENS, found
from tests.app.daemon import daemon
from tests.app.whole import get, until

pytestmark = pytest.mark.e2e

FAULTS = ("503:times=1", "half:times=1")  # more of them would only take time: see test_canary


def environ(iam: FakeIam, url: str) -> dict[str, str]:
    return {
        "KAKAOCLOUD_APPLICATION_CREDENTIAL_ID": iam.key.id,
        "KAKAOCLOUD_APPLICATION_CREDENTIAL_SECRET": SECRET,
        "KAKAOCLOUD_BROKER_IAM__URL": url,
    }


def of_proc(pid: int, name: str) -> str | None:
    """What the kernel shows of a process to whoever may look; None where not even root may."""
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes().decode(errors="replace")
    except PermissionError:
        return None


@pytest.mark.parametrize(
    ("form", "planted"),
    [("json", TOKENS["other"]), ("console", TOKENS["fernet"])],
    ids=["json", "console"],  # a test's id stands in its environment, and so in the broker's
)
async def test_neither_secret_nor_token_is_in_what_it_emits_or_in_proc(
    tmp_path: Path, form: str, planted: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("broker.fakeiam.tokens.new_token_text", lambda: planted)
    iam = FakeIam(key_secret=SECRET)
    for fault in FAULTS:
        iam.faults.add(fault)
    log = {"KAKAOCLOUD_BROKER_LOG__LEVEL": "debug", "KAKAOCLOUD_BROKER_LOG__FORMAT": form}
    async with iam.serve() as url, daemon(tmp_path / "s", **environ(iam, url), **log) as running:
        await until(lambda: iam.counters.issue_requests >= 2)
        assert found(str(of_proc(running.process.pid, "cmdline")), SECRET, planted) == []
        assert found(str(of_proc(running.process.pid, "environ")), SECRET, planted) == []
        iam.faults.clear()
        status, body = await get(tmp_path / "s", "/v1/token", "Prefer: wait=30")
        assert (status, body.pop("token")) == (200, planted)
        assert found(str(of_proc(running.process.pid, "environ")), SECRET, planted) == []
        ended = await running.stop()
    assert ended.code == 0
    assert [json.loads(line)["event"] for line in ended.out.splitlines()] == ["token"]
    assert found(ended.out, SECRET, planted) == []
    assert "issue_failed" in ended.err
    assert "token_issued" in ended.err
    assert found(ended.err + json.dumps(body), SECRET, planted) == []
    if form == "json":
        events = [json.loads(line)["event"] for line in ended.err.splitlines()]
        assert events[0] == "serving"
        assert events[-2:] == ["draining", "stopped"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_finishes_what_is_in_flight_and_exits_0(tmp_path: Path, number: signal.Signals):
    """The waiter gets its token although the signal came first; a reload asked for meanwhile ends nothing."""
    iam = FakeIam(key_secret=SECRET)
    iam.faults.add("hang")
    async with iam.serve() as url, daemon(tmp_path / "s", **environ(iam, url)) as running:
        waiter = asyncio.create_task(get(tmp_path / "s", "/v1/token", "Prefer: wait=30"))
        await until(lambda: iam.counters.issue_requests)
        assert (await get(tmp_path / "s", "/readyz"))[1]["draining"] is False
        running.process.send_signal(signal.SIGHUP)
        stopping = asyncio.create_task(running.stop(number))
        while not (await get(tmp_path / "s", "/readyz"))[1]["draining"]:
            assert not stopping.done()
        iam.faults.clear()
        assert (await waiter)[0] == 200
        ended = await stopping
    assert ended.code == 0
    events = [json.loads(line)["event"] for line in ended.err.splitlines()]
    assert "reloaded" in events
    assert events[-1] == "stopped"
    assert "drain_cut_short" not in events
    assert not (tmp_path / "s").exists()


async def test_who_waits_in_vain_is_answered_before_the_drain_ends(tmp_path: Path):
    iam = FakeIam(key_secret=SECRET)
    iam.faults.add("hang")
    short = {"KAKAOCLOUD_BROKER_SERVING__DRAIN": "1s"}
    async with iam.serve() as url, daemon(tmp_path / "s", **environ(iam, url), **short) as running:
        waiter = asyncio.create_task(_answer(tmp_path / "s"))
        await until(lambda: iam.counters.issue_requests)
        await get(tmp_path / "s", "/livez")
        ended = await running.stop()
        assert (await waiter).startswith(b"HTTP/1.1 503 ")
    assert ended.code == 0
    assert "drain_cut_short" not in ended.err
    assert "Traceback" not in ended.err


async def _answer(path: Path) -> bytes:
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(b"GET /v1/token HTTP/1.1\r\nHost: x\r\nPrefer: wait=30\r\n\r\n")
    answer = await reader.read(1 << 16)
    writer.close()
    return answer


async def test_after_a_kill_the_next_one_starts_in_its_place(tmp_path: Path):
    iam = FakeIam(key_secret=SECRET)
    async with iam.serve() as url:
        async with daemon(tmp_path / "s", **environ(iam, url)) as killed:
            await killed.stop(signal.SIGKILL)
        assert (tmp_path / "s").is_socket()
        async with daemon(tmp_path / "s", **environ(iam, url)) as running:
            assert (await get(tmp_path / "s", "/v1/token"))[0] == 200
            assert (await running.stop()).code == 0
