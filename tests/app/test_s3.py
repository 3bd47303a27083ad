"""S3 credentials from a whole broker, over real sockets: put together rightly, and silent about every secret."""

import gc
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from broker.app import Broker, running
from broker.clock import BootClock
from broker.core.budget import Bucket
from broker.fakeiam.faults import Drop, Operation, Twist
from broker.fakeiam.server import FakeIam, s3_url
from broker.identity.sources import Sources
from broker.observability import logs
from tests.app.canaries import SECRET, TOKENS, found
from tests.app.whole import get, key_folder, settings, until

S3 = "/v1/identities/default/s3-credentials"
FAULTS = (*Drop, *Twist, "400", "403", "404", "429:retry-after=1", "503:body=html", "redirect", "skew=-99999")
S3_SECRET, SESSION = "canary-s3-secret-of-40-characters-0123456", "canary+session/token=of+an+emulator"


@asynccontextmanager
async def whole_with_s3(
    folder: Path, iam: FakeIam, *, told: bool = True, patience: float = 10.0
) -> AsyncIterator[Broker]:
    async with iam.serve() as url:
        keys = key_folder(folder / "keys", iam.key.id, iam.key.secret)
        tree = settings(
            folder,
            {"default": {"keys": [str(keys)]}},
            iam={"url": url, "timeout": patience},
            s3={"url": s3_url(url)} if told else {},
        )
        async with running(tree, Sources({}), BootClock()) as broker:
            await until(lambda: broker.desk.keyring["default"].lease.held)
            yield broker


async def test_a_token_buys_credentials_which_the_emulator_knows(tmp_path: Path):
    iam = FakeIam()
    async with whole_with_s3(tmp_path, iam):
        status, body = await get(tmp_path / "s", f"{S3}?region=kr-east-1&duration=900", "Prefer: wait=5")
        again = await get(tmp_path / "s", f"{S3}?region=kr-east-1&duration=900")
        assert (status, again) == (200, (200, body))
        known = iam.state.storage.find(body["AccessKeyId"])
        assert known is not None
        assert (known.secret, known.session_token, known.region) == (
            body["SecretAccessKey"],
            body["Token"],
            "kr-east-1",
        )
        assert iam.counters.arrived[Operation.S3] == 1


async def test_a_token_that_was_revoked_takes_its_credentials_along(tmp_path: Path):
    """IAM is asked whether the token lives when object storage refuses it, and what its successor buys is given."""
    iam = FakeIam()
    async with whole_with_s3(tmp_path, iam) as broker:
        keeper = broker.desk.keyring["default"]
        keeper.woke()  # before one has succeeded, no validation is evidence (L8)
        await until(lambda: keeper.lease.watch.evidence)
        status, first = await get(tmp_path / "s", S3, "Prefer: wait=5")
        assert status == 200
        iam.tokens.revoke_all()
        # Another kind has to be bought, and so tells that the token has died.
        status, other = await get(tmp_path / "s", f"{S3}?duration=900", "Prefer: wait=10")
        assert status == 200
        status, second = await get(tmp_path / "s", S3, "Prefer: wait=10")
        assert status == 200
        assert len({body["AccessKeyId"] for body in (first, other, second)}) == 3


async def test_a_token_of_another_iam_is_sent_to_no_object_storage_that_nobody_named(tmp_path: Path):
    """An emulator's, a test's or another realm's token is no business of KakaoCloud's."""
    async with whole_with_s3(tmp_path, FakeIam(), told=False):
        status, body = await get(tmp_path / "s", S3)
        assert (status, body["code"]) == (404, "not_found")


@pytest.mark.parametrize("form", ["json", "console"])
async def test_no_secret_is_in_any_output_whatever_object_storage_does(
    tmp_path: Path, form, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    token = TOKENS["other"]
    monkeypatch.setattr("broker.fakeiam.tokens.new_token_text", lambda: token)
    made = {30: S3_SECRET, 120: SESSION}  # by the length that the emulator asks for
    monkeypatch.setattr("secrets.token_urlsafe", lambda length: made.get(length, "audit"))
    logs.configure("debug", form)
    iam, told = FakeIam(key_secret=SECRET), []
    async with whole_with_s3(tmp_path, iam, patience=0.3) as broker:
        member = broker.desk.members["default"]
        status, body = await get(tmp_path / "s", S3, "Prefer: wait=5")
        assert (status, body["SecretAccessKey"], body["Token"]) == (200, S3_SECRET, SESSION)
        (line,) = member.s3._lines.values()
        told += [repr(line._held), repr(vars(line)), repr(member), str(member)]
        for number, fault in enumerate(FAULTS):
            # Neither share of anybody is to keep a fault from being met.
            member.s3._bucket = Bucket.full(1, broker.desk.clock.now())
            broker.desk.pace._buckets.clear()
            armed = iam.faults.add(f"{fault}:on=s3" if ":" not in fault else f"{fault},on=s3")
            told.append(str(await get(tmp_path / "s", f"{S3}?duration={100 + number}", "Prefer: wait=2")))
            iam.faults.remove(armed)
    gc.collect()  # what was never retrieved is logged now
    out, err = capfd.readouterr()
    heard = json.dumps([text for text in told if "(200" not in text]) + out + err
    assert found(heard, SECRET, token, S3_SECRET, SESSION) == []
