"""The client secrets of a broker that runs: replaced live, by SIGHUP, kept through trouble, and shown to nobody."""

import asyncio
import gc
import json
import shutil
import threading
from collections.abc import AsyncIterator, Iterable, MutableMapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import pytest
from structlog.testing import capture_logs

from broker.app import Broker, running
from broker.client_secrets import ClientSecrets, Written, client_secrets_of
from broker.core.client_secret import GRACE
from broker.core.errors import ConfigError
from broker.core.secret import Secret
from broker.fakeiam.server import FakeIam
from broker.identity.client_secret import read
from broker.identity.sources import Sources
from broker.keeper.tending import LOOK_EVERY
from broker.observability import logs
from broker.settings import Settings
from tests.app.canaries import found
from tests.app.whole import key_folder, settings, until
from tests.fakes.clock import FakeClock
from tests.identity.keys import volume

FIRST, SECOND, THIRD = "first-client-secret", "second-client-secret", "third-client-secret"
READ = "broker.client_secrets.read"  # as the looks know it
ALL = (FIRST, SECOND, THIRD, "placeholder")
REMEDY = (
    "write one line of 16 to 1024 printable ASCII characters without spaces, as openssl rand -hex 32 makes it"
)


def write(path: Path, text: str, mode: int = 0o600) -> Path:
    """Replace the file in one step, as an administrator should."""
    fresh = path.with_suffix(".new")
    fresh.write_text(text)
    fresh.chmod(mode)
    return fresh.rename(path)


class House:
    """A broker on a clock that the test moves, with identities whose next settings the test writes."""

    def __init__(self, folder: Path, iam: FakeIam, url: str) -> None:
        self.folder = folder
        self.url = url
        self.clock = FakeClock()
        self.keys = key_folder(folder / "keys", iam.key.id, iam.key.secret)
        self.files: dict[str, Path | None] = {}
        self.broker: Broker

    def settings(self) -> Settings:
        identities = {
            name: {"keys": [str(self.keys)]} | ({} if file is None else {"client_secret_file": str(file)})
            for name, file in self.files.items()
        }
        return settings(self.folder, identities, iam={"url": self.url})

    @property
    def secrets(self) -> ClientSecrets:
        secrets = self.broker.desk.client_secrets
        assert isinstance(secrets, ClientSecrets)
        return secrets

    def taken(self, name: str = "default") -> list[str]:
        """What a client may present now."""
        return [text for text in ALL if self.secrets.accepts(name, Secret(text), self.clock.now())]

    async def reload(self) -> None:
        self.broker.reloading.ask()
        await until(lambda: self.broker.reloading._task is None)

    async def looked(self, *taken: str) -> None:
        """The next look, by the real tick of each second, finds this."""
        await self.clock.advance(LOOK_EVERY)
        await until(lambda: self.taken() == list(taken))


@asynccontextmanager
async def house(folder: Path, **files: Path | None) -> AsyncIterator[House]:
    iam = FakeIam()
    async with iam.serve() as url:
        one = House(folder, iam, url)
        one.files.update(files)
        async with running(one.settings(), Sources({}), one.clock, one.settings) as one.broker:
            yield one


def told(events: Iterable[MutableMapping[str, Any]], name: str) -> list[MutableMapping[str, Any]]:
    return [event for event in events if event["event"] == name]


async def test_a_file_that_is_renamed_into_place_is_taken_and_the_former_secret_has_its_grace(tmp_path: Path):
    path = write(tmp_path / "secret", f"{FIRST}\n")
    with capture_logs() as events:
        async with house(tmp_path, default=path) as one:
            assert one.taken() == [FIRST]
            write(path, SECOND)
            await one.looked(FIRST, SECOND)
            replaced_at = one.clock.now()
            await one.clock.advance(GRACE - 1 - (one.clock.now() - replaced_at))
            assert one.taken() == [FIRST, SECOND]
            await one.clock.advance(1)
            assert one.taken() == [SECOND]
    (changed,) = told(events, "client_secret_changed")
    at = one.clock.wall()
    assert changed == {
        "event": "client_secret_changed",
        "log_level": "info",
        "identity": "default",
        "former_until": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


async def test_a_second_change_within_the_grace_drops_the_older_secret_at_once(tmp_path: Path):
    path = write(tmp_path / "secret", FIRST)
    async with house(tmp_path, default=path) as one:
        write(path, SECOND)
        await one.looked(FIRST, SECOND)
        write(path, THIRD)
        await one.looked(SECOND, THIRD)


async def test_a_volume_of_kubernetes_is_followed_through_its_swap(tmp_path: Path):
    path = volume(tmp_path / "v", {"secret": FIRST}) / "secret"
    async with house(tmp_path, default=path) as one:
        volume(tmp_path / "v", {"secret": SECOND}, "..2")
        shutil.rmtree(tmp_path / "v/..1")
        await one.looked(FIRST, SECOND)


async def test_a_file_that_cannot_be_used_leaves_the_last_good_secret_and_is_told_once_for_each_trouble(
    tmp_path: Path,
):
    path = write(tmp_path / "secret", FIRST)
    with capture_logs() as events:
        async with house(tmp_path, default=path) as one:

            async def troubles(count: int) -> None:
                for _ in range(2):  # looks: the second one finds nothing new
                    one.secrets.look()
                    await until(lambda: _running() == [])
                assert len(told(events, "client_secret_unreadable")) == count
                assert one.taken() == [FIRST]

            path.unlink()
            await troubles(1)
            write(path, "")
            await troubles(2)
            write(path, SECOND, 0o604)
            await troubles(3)
            write(path, FIRST)
            await troubles(3)
            path.chmod(0o604)
            await troubles(4)
            write(path, SECOND)
            await one.looked(FIRST, SECOND)
    every = "can be read by every user of this host"
    sentences = [event.pop("problem") for event in told(events, "client_secret_unreadable")]
    assert sentences == [
        f"{path}: does not exist; create it or correct the path",
        f"{path}: is empty; {REMEDY}",
        *[f"{path}: {every}; run: chmod 0600 {path}"] * 2,
    ]
    assert told(events, "client_secret_unreadable")[0] == {
        "event": "client_secret_unreadable",
        "log_level": "warning",
        "identity": "default",
        "detail": "the secret that was read before stays in force",
    }


async def test_sighup_sets_it_changes_its_file_and_takes_it_away(tmp_path: Path):
    first, second = write(tmp_path / "first", FIRST), write(tmp_path / "second", SECOND)
    with capture_logs() as events:
        async with house(tmp_path, default=None) as one:
            assert one.taken() == list(ALL), "where none is set, anything will do"
            one.files["default"] = first
            await one.reload()
            assert one.taken() == [FIRST], "there is no grace for anything"
            one.files["default"] = second
            await one.reload()
            assert one.taken() == [FIRST, SECOND]
            write(first, THIRD)
            write(second, THIRD)
            await one.looked(SECOND, THIRD)
            one.files["default"] = None
            await one.reload()
            assert one.taken() == list(ALL)
    assert [event["client_secrets"] for event in told(events, "reloaded")] == [("default",)] * 3
    assert [event["rekeyed"] for event in told(events, "reloaded")] == [()] * 3
    assert len(told(events, "client_secret_changed")) == 2


async def test_a_reload_looks_at_once_at_files_that_the_settings_still_name(tmp_path: Path):
    path = write(tmp_path / "secret", FIRST)
    async with house(tmp_path, default=path) as one:
        one.secrets.tick(one.clock.now())  # from here on no tick looks: the clock stands still
        await until(lambda: _running() == [])
        write(path, SECOND)
        await one.reload()
        await until(lambda: one.taken() == [FIRST, SECOND])


async def test_identities_that_come_bring_theirs_and_those_that_go_accept_nothing(tmp_path: Path):
    path = write(tmp_path / "secret", FIRST)
    async with house(tmp_path, default=None) as one:
        assert one.taken("more") == []
        one.files["more"] = path
        await one.reload()
        assert (one.taken(), one.taken("more")) == (list(ALL), [FIRST])
        del one.files["more"]
        await one.reload()
        assert (one.taken(), one.taken("more")) == (list(ALL), [])
        one.files["more"] = write(path, SECOND)
        await one.reload()
        assert one.taken("more") == [SECOND], "what it had before it went is forgotten"


@pytest.mark.parametrize("name", ["default", "more"])
async def test_a_reload_that_names_an_unusable_file_changes_nothing(tmp_path: Path, name: str):
    path = write(tmp_path / "secret", FIRST)
    with capture_logs() as events:
        async with house(tmp_path, default=path) as one:
            one.files |= {"default": None, name: tmp_path / "nowhere"}
            await one.reload()
            assert (one.taken(), one.taken("more")) == ([FIRST], [])
    (refused,) = told(events, "reload_refused")
    assert refused["problems"] == [f"{tmp_path}/nowhere: does not exist; create it or correct the path"]


async def test_at_start_all_problems_are_told_at_once_those_of_the_keys_first(tmp_path: Path):
    key_folder(tmp_path / "good", "id", "secret")
    files = {"open": write(tmp_path / "open", FIRST, 0o604), "empty": write(tmp_path / "empty", "\n")}
    identities = {
        name: {"keys": [f"{tmp_path}/{keys}"], "client_secret_file": f"{tmp_path}/{name}"}
        for name, keys in {**dict.fromkeys(files, "good"), "gone": "nowhere"}.items()
    }
    with pytest.raises(ConfigError) as caught:
        async with running(settings(tmp_path, identities), Sources({}), FakeClock()):
            pass
    sentences = str(caught.value).replace(str(tmp_path), "F").splitlines()
    assert sentences == [
        "F/nowhere: does not exist; create it or correct the path",
        "F/open: can be read by every user of this host; run: chmod 0600 F/open",
        f"F/empty: is empty; {REMEDY}",
        "F/gone: does not exist; create it or correct the path",
    ]


async def held(clock: FakeClock, *paths: Path) -> ClientSecrets:
    """Those of the identities `one`, `two`, ... without a broker."""
    names = dict(zip(("one", "two"), paths, strict=False))
    identities = {name: {"keys": ["/k"], "client_secret_file": str(path)} for name, path in names.items()}
    tree = settings(paths[0].parent, identities)
    given, problems = client_secrets_of(tree, tree.identities)
    assert problems == []
    secrets = ClientSecrets(clock)
    secrets.take_over(given)
    return secrets


async def test_l12_a_disk_that_hangs_delays_no_other_identity_nor_the_loop_nor_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    dead, good = write(tmp_path / "dead", FIRST), write(tmp_path / "good", FIRST)
    secrets = await held(clock := FakeClock(), dead, good)
    hung, released = threading.Event(), threading.Event()

    def slow(path: Path) -> Secret:
        if path == dead:
            hung.set()
            assert released.wait(20)
        return read(path)

    monkeypatch.setattr(READ, slow)
    for path in (dead, good):
        write(path, SECOND)
    try:
        secrets.tick(clock.now())
        await until(lambda: secrets.accepts("two", Secret(SECOND), clock.now()))
        assert hung.is_set()
        assert secrets.accepts("one", Secret(FIRST), clock.now())
        await clock.advance(LOOK_EVERY)
        secrets.tick(clock.now())  # the look that hangs is not begun a second time
        async with asyncio.timeout(5):
            await secrets.drop("one")
            await secrets.drop("two")
    finally:
        released.set()
    assert not secrets.accepts("one", Secret(FIRST), clock.now())
    assert _running() == []


async def test_what_was_read_from_a_file_that_a_reload_has_left_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The look at the first file ends after the second one was taken over."""
    first, second = write(tmp_path / "first", FIRST), write(tmp_path / "second", SECOND)
    secrets = await held(clock := FakeClock(), first)
    begun, released = threading.Event(), threading.Event()

    def slow(path: Path) -> Secret:
        begun.set()
        assert released.wait(20)
        return read(path)

    monkeypatch.setattr(READ, slow)
    write(first, THIRD)
    secrets.look()
    await until(begun.is_set)
    secrets.take_over({"one": Written(second, Secret(SECOND))})
    released.set()
    await until(lambda: _running() == [])
    assert secrets.accepts("one", Secret(FIRST), clock.now())
    assert not secrets.accepts("one", Secret(THIRD), clock.now())
    await secrets.drop("one")


async def test_a_defect_in_a_look_leaves_the_secret_and_the_next_look_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = write(tmp_path / "secret", FIRST)
    secrets = await held(clock := FakeClock(), path)
    with capture_logs() as events, monkeypatch.context() as broken:
        broken.setattr(READ, lambda _path: 1 / 0)
        secrets.look()
        await until(lambda: _running() == [])
    (defect,) = events
    assert (defect["event"], defect["log_level"], defect["identity"]) == (
        "client_secret_defect",
        "error",
        "one",
    )
    assert secrets.accepts("one", Secret(FIRST), clock.now())
    write(path, SECOND)
    secrets.look()
    await until(lambda: secrets.accepts("one", Secret(SECOND), clock.now()))
    await secrets.drop("one")


async def test_a_file_is_looked_at_every_few_seconds_and_not_more_often(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    secrets = await held(clock := FakeClock(), write(tmp_path / "secret", FIRST))
    looks: list[float] = []

    def slow(path: Path) -> Secret:
        looks.append(clock.now())
        return read(path)

    monkeypatch.setattr(READ, slow)
    for _ in range(11):
        secrets.tick(clock.now())
        await until(lambda: _running() == [])
        await clock.advance(1)
    assert looks == [1000, 1000 + LOOK_EVERY, 1000 + 2 * LOOK_EVERY]
    await secrets.drop("one")


@pytest.mark.parametrize("form", ["json", "console"])
async def test_it_is_in_no_log_no_repr_and_no_error(
    tmp_path: Path,
    form: Literal["json", "console"],
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
):
    """Through a start, a change, each kind of trouble, a defect that shows all it was given, and a refused reload."""
    canaries = [f"canary{place}/client+secret=0123456789" for place in range(3)]
    logs.configure("debug", form)
    path = write(tmp_path / "secret", canaries[0])
    shown: list[object] = []
    async with house(tmp_path, default=path) as one:
        secrets = one.secrets

        async def look() -> None:
            secrets.look()
            await until(lambda: _running() == [])
            doors = list(secrets._doors.values())
            shown.extend((repr(one.broker), repr(vars(secrets)), *(repr(vars(door)) for door in doors)))
            shown.append(repr(client_secrets_of(one.settings(), one.files)))

        write(path, canaries[1])
        await look()
        for text in (f"{canaries[2]} {canaries[2]}", f"{canaries[2]}\n{canaries[2]}", f"{canaries[2]}ü"):
            write(path, text)
            await look()
            one.files["other"] = path
            await one.reload()
            del one.files["other"]
        write(path, canaries[2], 0o644)
        await look()
        write(path, canaries[2])
        with monkeypatch.context() as broken:
            broken.setattr("broker.client_secrets._Door.take_over", _defect)
            await look()
        await look()
        assert secrets.accepts("default", Secret(canaries[2]), one.clock.now())
    gc.collect()  # what was never retrieved is logged now
    out, err = capfd.readouterr()
    for event in (
        "client_secret_changed",
        "client_secret_unreadable",
        "client_secret_defect",
        "reload_refused",
    ):
        assert event in err
    digests = [Secret(canary).sha256() for canary in canaries]
    assert found(json.dumps(shown) + out + err, *canaries, *digests) == []


def _defect(*given: object) -> None:
    raise ZeroDivisionError(f"{given} {given!r} " + "".join(map(str, given)))


def _running() -> list[str]:
    """The looks under way."""
    return [name for task in asyncio.all_tasks() if "_Door." in (name := str(task.get_coro()))]
