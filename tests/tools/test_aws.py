"""AWS' own clients, unmodified, list a bucket with what the broker gives them, and go on after it has ended.

- Real: the aws command line and boto3, the broker and its command as processes, every signature, every end.
- Emulated: KakaoCloud's IAM and its exchange, which hands out credentials of seconds; and the S3 server, which checks each
  signature and session token against what was handed out, and its end by its own clock.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from broker.fakeiam.faults import Operation
from broker.fakeiam.server import FakeIam, s3_url
from tests.contracts.world import Key
from tests.e2e import keys
from tests.e2e.command import BROKER, ROOT, environment
from tests.e2e.daemon import Daemon, free_port
from tests.e2e.spoken import SPOKEN
from tests.tools.page import blocks
from tests.tools.s3_server import BUCKET, KEY, S3Server, s3_server
from tests.tools.standing import Talk, needs_tools
from tests.venvs import TOOLS

pytestmark = [pytest.mark.tools, needs_tools]

LIFE = 5.0  # seconds, of credentials that shall end within a test
PAGE = ROOT / "docs/s3.md"
PROGRAM = Path(__file__).with_name("long_lived_s3.py")
WAYS = ("credential_process", "container endpoint", "broker exec --s3")
LIST = (
    "aws",
    "s3api",
    "list-objects-v2",
    "--bucket",
    BUCKET,
    "--query",
    "Contents[].Key",
    "--output",
    "text",
)


@dataclass(frozen=True, slots=True)
class Cloud:
    """An emulated KakaoCloud with a broker before it, and a home for AWS' clients."""

    iam: FakeIam
    s3: S3Server
    daemon: Daemon
    port: int
    home: Path

    def started(self, way: str, *words: str | Path) -> tuple[tuple[str | Path, ...], Mapping[str, str]]:
        """The command and the environment in which AWS' clients find their credentials in this way."""
        plain = {name: text for name, text in environment().items() if not name.startswith("AWS_")}
        own = plain | {
            "HOME": str(self.home),
            "PATH": f"{TOOLS.python.parent}:{plain['PATH']}",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_DEFAULT_REGION": "kr-central-2",
            "AWS_ENDPOINT_URL_S3": self.s3.url,
            "AWS_MAX_ATTEMPTS": "1",
            "KAKAOCLOUD_BROKER_URL": f"unix://{self.daemon.socket}",
        }
        if way == "credential_process":
            (self.home / ".aws").mkdir(exist_ok=True)
            line = f"credential_process = {' '.join(BROKER)} s3-credentials"
            (self.home / ".aws/config").write_text(f"[default]\n{line}\n")
        elif way == "container endpoint":
            path = "/v1/identities/default/s3-credentials"
            own["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = f"http://127.0.0.1:{self.port}{path}"
            own["AWS_CONTAINER_AUTHORIZATION_TOKEN"] = "anything"
        else:
            return (*BROKER, "exec", "--s3", "--", *words), own
        return words, own

    async def run(self, way: str, *words: str) -> str:
        """What a command of AWS' prints."""
        command, own = self.started(way, *words)
        async with Talk.with_(command, own) as talk:
            ended = await talk.end()
        assert (ended.code, ended.err) == (0, ""), ended
        return ended.out.strip()

    @property
    def exchanges(self) -> int:
        """How often object storage was asked to trade a token."""
        return self.iam.counters.arrived[Operation.S3]

    def here(self, text: str) -> str:
        """A text of the page, with this cloud's addresses in it."""
        storage = "https://objectstorage.kr-central-2.kakaocloud.com"
        return text.replace(storage, self.s3.url).replace("127.0.0.1:9780", f"127.0.0.1:{self.port}")

    async def end_of(self, used: str) -> None:
        """Wait until these credentials have ended."""
        found = self.iam.state.storage.find(used)
        assert found is not None
        for secret in (found.secret, found.session_token):
            SPOKEN.guard(secret, "S3 credentials")
        await asyncio.sleep(max(0.0, (found.expires_at - datetime.now(UTC)).total_seconds()))


@pytest.fixture
async def cloud(tmp_path: Path) -> AsyncIterator[Cloud]:
    iam, port = FakeIam(), free_port()
    held = Key(iam.key.id, iam.key.name, iam.key.user_id, iam.key.secret)
    key = keys.directory(tmp_path / "key", held)
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(iam.serve())
        server = await stack.enter_async_context(s3_server(iam.state.storage.find))
        daemon = Daemon(
            tmp_path / "b",
            iam={"url": url},
            identities={"default": {"keys": [key]}},
            listen=[{"tcp": f"127.0.0.1:{port}"}],
            own={"KAKAOCLOUD_BROKER_S3__URL": s3_url(url)},
        )
        await stack.enter_async_context(daemon)
        assert (await daemon.client.token(wait=10)).status == 200
        home = tmp_path / "home"
        home.mkdir()
        yield Cloud(iam, server, daemon, port, home)


async def test_the_command_line_lists_a_bucket_before_and_after_an_end(cloud: Cloud):
    cloud.iam.state.storage.most = LIFE
    buckets = [cloud.run(way, "aws", "s3", "ls") for way in WAYS]
    assert await asyncio.gather(*buckets) == [f"2026-01-01 00:00:00 {BUCKET}"] * len(WAYS)
    before = {used for used, _ in cloud.s3.asked}
    for used in before:
        await cloud.end_of(used)
    assert await asyncio.gather(*(cloud.run(way, *LIST) for way in WAYS)) == [KEY] * len(WAYS)
    after = {used for used, _ in cloud.s3.asked[len(WAYS) :]}
    assert not before & after
    assert [refusal for _, refusal in cloud.s3.asked] == [None] * (2 * len(WAYS))


async def test_a_program_on_boto3_goes_on_after_its_first_credentials_have_ended(cloud: Cloud):
    """Rule: it never signs with what has ended, whatever botocore's windows of 10 and 15 minutes make it do."""
    cloud.iam.state.storage.most = LIFE
    used = await asyncio.gather(*(_across_an_end(cloud, way) for way in WAYS))
    assert all(first != last for first, last in used)
    assert {refusal for _, refusal in cloud.s3.asked} == {None}
    # Credentials of seconds are asked for at each call; the broker gives what it holds, to all of them.
    assert cloud.exchanges < len(cloud.s3.asked)


async def _across_an_end(cloud: Cloud, way: str) -> tuple[str, str]:
    """The first and the last credentials of a program that lists before and after the end of its first ones."""
    command, own = cloud.started(way, TOOLS.python, PROGRAM, BUCKET)
    used: list[str] = []
    async with Talk.with_(command, own) as talk:
        for _ in range(10):
            said = await talk.heard()
            assert said["keys"] == [KEY]
            used.append(said["used"])
            if len(used) == 5:
                await cloud.end_of(used[0])
            await talk.go_on()
    return used[0], used[-1]


@pytest.mark.parametrize("way", WAYS)
async def test_credentials_of_half_an_hour_are_asked_for_once(cloud: Cloud, way: str):
    """Rule: nothing is handed out that an SDK asks to be replaced at once."""
    command, own = cloud.started(way, TOOLS.python, PROGRAM, BUCKET)
    async with Talk.with_(command, own) as talk:
        for _ in range(20):
            assert (await talk.heard())["keys"] == [KEY]
            await talk.go_on()
    assert len({each for each, _ in cloud.s3.asked}) == 1
    assert cloud.exchanges == 1
    metrics = await cloud.daemon.client.text("/metrics")
    asked = [
        float(line.rpartition(" ")[2])
        for line in metrics.splitlines()
        if line.startswith("broker_requests_total") and "s3-credentials" in line
    ]
    assert asked == [1.0]
    assert 'broker_iam_requests_total{identity="default",operation="s3",outcome="ok"} 1.0' in metrics


async def test_both_ways_of_the_page_work_as_they_stand_there(cloud: Cloud):
    """The addresses of KakaoCloud's object storage and of the broker are a test's; nothing else is changed."""
    config, command = blocks("By the command: `credential_process`", PAGE)[0].split("\n\n")
    (exports,) = blocks("By the endpoint: container credentials", PAGE)
    _, own = cloud.started("container endpoint")
    plain = {name: text for name, text in own.items() if not name.startswith(("AWS_", "KAKAOCLOUD_"))}
    plain |= {
        "AWS_EC2_METADATA_DISABLED": "true",
        "PATH": f"{Path(BROKER[0]).parent}:{own['PATH']}",
    }
    socket = {"KAKAOCLOUD_BROKER_URL": own["KAKAOCLOUD_BROKER_URL"]}
    for text, script, more in ((config, command, socket), ("", exports, {})):
        (cloud.home / ".aws").mkdir(exist_ok=True)
        (cloud.home / ".aws/config").write_text(cloud.here(text))
        async with Talk.with_(("sh", "-c", cloud.here(script)), {**plain, **more}) as talk:
            ended = await talk.end()
        assert (ended.code, ended.err) == (0, ""), ended
        assert ended.out.split()[-1] == BUCKET


async def test_a_program_goes_on_while_object_storage_is_away(cloud: Cloud):
    """Rule: what was given is good to its end, and given to whoever asks, though no other is to be had."""
    command, own = cloud.started("container endpoint", TOOLS.python, PROGRAM, BUCKET)
    async with Talk.with_(command, own) as talk:
        assert (await talk.heard())["keys"] == [KEY]
        cloud.iam.faults.add("503:on=s3")
        await talk.go_on()
        assert (await talk.heard())["keys"] == [KEY]
    assert await cloud.run("credential_process", *LIST) == KEY


async def test_a_failure_reaches_whoever_reads_the_command_line(cloud: Cloud):
    """Rule: one plain sentence of ours is in what AWS' client says."""
    cloud.iam.faults.add("403:on=s3")
    command, own = cloud.started("credential_process", *LIST)
    async with Talk.with_(command, own) as talk:
        ended = await talk.end()
    assert ended.code != 0
    assert "object storage refuses the token (403)" in ended.err
    assert "Traceback" not in ended.err


async def test_the_server_believes_nothing_else(cloud: Cloud):
    """The judge itself: a wrong secret, a wrong token and an unknown id are refused by it."""
    await cloud.run("credential_process", *LIST)
    ((used, _),) = cloud.s3.asked
    found = cloud.iam.state.storage.find(used)
    assert found is not None
    right = {
        "AWS_ACCESS_KEY_ID": found.access_key_id,
        "AWS_SECRET_ACCESS_KEY": found.secret,
        "AWS_SESSION_TOKEN": found.session_token,
    }
    wrong: tuple[dict[str, str], ...] = (
        {},
        {"AWS_SECRET_ACCESS_KEY": "x"},
        {"AWS_SESSION_TOKEN": "x"},
        {"AWS_ACCESS_KEY_ID": "FAKE0"},
    )
    for change in wrong:
        _, own = cloud.started("credential_process", *LIST)
        async with Talk.with_(LIST, {**own, **right, **change}) as talk:
            await talk.end()
    codes = [refusal for _, refusal in cloud.s3.asked[1:]]
    assert codes == [None, "SignatureDoesNotMatch", "InvalidToken", "InvalidAccessKeyId"]
