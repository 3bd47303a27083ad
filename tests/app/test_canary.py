"""Whatever happens in a broker, neither the access secret nor a token is in what it emits."""

import asyncio
import gc
import json
import shutil
from pathlib import Path

import pytest

from broker.core.errors import Fault
from broker.core.events import Alive, Expired, Failed, Issued, KeyChanged, Reported, Started, Unchecked
from broker.core.happening import apply
from broker.core.keys import Place
from broker.core.model import KeyById, KeyByName, Reply
from broker.core.secret import Secret
from broker.core.watch import Method
from broker.fakeiam.faults import Drop, Twist
from broker.fakeiam.server import FakeIam
from broker.keeper.remembrance import memory_of
from broker.observability import logs
from tests.app.canaries import SECRET, TOKENS, found
from tests.app.whole import get, until, whole
from tests.core.builders import failure, fresh, held, token

FAULTS = (
    *Drop,
    *Twist,
    *(f"{status}:body={body}" for status in (400, 401, 403, 404, 429, 500, 503) for body in ("json", "html")),
    "429:retry-after=1",
    "202",
    "redirect",
    "skew=86400",
    "skew=-86400",
)
DEFECTS = {
    "flight_defect": "broker.issuer.keystone.Keystone.issue",
    "observer_defect": "broker.observability.journal.Journal.tell",
    "request_defect": "broker.serving.answers.token",
}
TOLD = {
    "flight_defect": (503, "iam_unavailable"),
    "observer_defect": (200, None),
    "request_defect": (500, "internal"),
}


# Each form of the log with one kind of token: what one form hides, the other does by the same code.
BOTH = pytest.mark.parametrize(
    ("form", "planted"), [("json", "other"), ("console", "fernet")], indirect=["planted"]
)


@pytest.fixture
def planted(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The text of every token that the emulator issues."""
    text = TOKENS[request.param]
    monkeypatch.setattr("broker.fakeiam.tokens.new_token_text", lambda: text)
    return text


async def through(folder: Path, fault: str | None) -> str:
    """A broker's life with one fault, or none; what workloads are told beside the token."""
    iam = FakeIam(key_secret=SECRET)
    if fault:
        iam.faults.add(fault)
    told: list[object] = []
    async with whole(folder, iam, patience=0.3) as broker:
        keeper = broker.desk.keyring["default"]
        await until(lambda: keeper.lease.trouble or keeper.lease.held)
        status, body = await get(folder / "s", "/v1/token", "Prefer: wait=0")
        assert (status == 200) == ("token" in body)
        assert "Traceback" not in str(body)
        body.pop("token", None)
        told += [
            body,
            repr(broker),
            repr(keeper.lease),
            str(keeper.lease),
            repr(keeper.places),
            repr(vars(keeper.places)),
        ]
        for target in ("/v1/identities", "/v1/identities/default", "/v1/identities/other", "/readyz"):
            told.append(await get(folder / "s", target))
    shutil.rmtree(folder / "keys")
    gc.collect()  # what was never retrieved is logged now
    return json.dumps(told)


@BOTH
async def test_neither_is_in_any_output_whatever_iam_does(
    tmp_path: Path, form, planted: str, capfd: pytest.CaptureFixture[str]
):
    logs.configure("debug", form)
    told = [await through(tmp_path, fault) for fault in (None, *FAULTS)]
    out, err = capfd.readouterr()
    assert found("".join(told) + out + err, SECRET, planted) == []
    assert err.count("issue_failed") >= len(FAULTS) - 4
    assert "token_issued" in err


@BOTH
@pytest.mark.parametrize("defect", DEFECTS)
async def test_neither_is_in_the_log_of_a_defect_that_shows_all_that_it_was_given(
    tmp_path: Path,
    form,
    defect: str,
    planted: str,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
):
    def broken(*args: object, **more: object) -> None:
        raise ZeroDivisionError(f"{args} {more} {args!r} " + "".join(map(str, args)))

    monkeypatch.setattr(DEFECTS[defect], broken)
    logs.configure("debug", form)
    async with whole(tmp_path, FakeIam(key_secret=SECRET)) as broker:
        keeper = broker.desk.keyring["default"]
        await until(lambda: keeper.lease.trouble or keeper.lease.held)
        status, body = await get(tmp_path / "s", "/v1/token")
        assert (status, body.get("code")) == TOLD[defect]
        body.pop("token", None)
    out, err = capfd.readouterr()
    assert defect in err
    assert "ZeroDivisionError" in err
    assert found(json.dumps(body) + out + err, SECRET, planted) == []


@BOTH
@pytest.mark.parametrize("defect", [None, *DEFECTS])
async def test_neither_is_in_what_the_loop_tells_when_it_is_debugged(
    tmp_path: Path,
    form,
    defect: str | None,
    planted: str,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
):
    """PYTHONASYNCIODEBUG shows each callback that is slow, with what it was given and what came of it; here all are."""

    def broken(*args: object, **more: object) -> None:
        raise ZeroDivisionError(f"{args} {more}")

    if defect is not None:
        monkeypatch.setattr(DEFECTS[defect], broken)
    loop = asyncio.get_running_loop()
    monkeypatch.setattr(loop, "slow_callback_duration", 0.0)
    loop.set_debug(True)
    logs.configure("debug", form)
    told = await through(tmp_path, None)
    loop.set_debug(False)
    out, err = capfd.readouterr()
    assert err.count("Executing <") > 20
    assert found(told + out + err, SECRET, planted) == []


@pytest.mark.parametrize("planted", TOKENS.values())
def test_no_value_of_the_core_shows_it(planted: str):
    secret = Secret(SECRET)
    kept = held(planted)
    keys = [KeyById("id", secret), KeyByName("name", "user", secret)]
    reply = Reply(token(planted), 60.0, 0.0, None)
    why, digest, by = failure(0.0, Fault.REJECTED), kept.token.digest, Method.AUTH_TOKENS
    events = [Started(0.0), Issued(0.0, 1, kept), Failed(1, why), KeyChanged(0.0, Place.PRIMARY, 3, "key-3")]
    events += [Expired(0.0), Alive(0.0, digest, by, None), Unchecked(digest, by, why), Reported(0.0, digest)]
    leases = [fresh()]
    leases.append(apply(leases[-1], Started(0.0)))
    leases.append(apply(leases[-1], Issued(0.0, 1, kept)))
    kept_over = memory_of(leases[-1])
    values = [secret, Secret(planted), *keys, reply, kept, *events, *leases, kept_over]
    for value in (*values, values):
        assert found(f"{value} {value!r} {value!s}", SECRET, planted) == []
    for holder in (*keys, reply, kept, leases[-1]):
        assert "Secret(***)" in repr(holder)
