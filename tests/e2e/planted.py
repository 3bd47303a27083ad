"""A broker with a canary in everything that it reads: keys in every form, variables, IAM's answers, the proxy's address."""

import json
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from broker.fakeiam.model import Key
from tests.contracts.fake_world import FakeWorld
from tests.e2e import keys
from tests.e2e.canaries import Canaries
from tests.e2e.daemon import Daemon, free_port
from tests.e2e.echoing import GOOD, STYLES, echoing

# Identities that get a token of the emulator's.
WELL = ("directory", "toml", "json", "variables")


@dataclass(slots=True)
class Planted:
    """The broker, and what was planted."""

    canaries: Canaries
    folder: Path
    daemon: Daemon
    port: int
    served: tuple[str, ...]  # the identities that get a token
    hopeless: tuple[str, ...]  # those that get none
    outputs: dict[str, bytes] = field(default_factory=dict)  # by where

    def said(self, where: str, what: str | bytes) -> None:
        """Keep an output to be looked through at the end, when all tokens are known."""
        content = what.encode(errors="surrogateescape") if isinstance(what, str) else what
        self.outputs[where] = self.outputs.get(where, b"") + content

    def leaks(self) -> list[str]:
        """Every canary that is in an output."""
        return [
            f"{where}: {leak}"
            for where, content in self.outputs.items()
            for leak in self.canaries.found(content)
        ]


@asynccontextmanager
async def planted(
    folder: Path, variables: Mapping[str, str], styles: Iterable[str] = STYLES
) -> AsyncIterator[Planted]:
    """One that is not started yet; `variables` are more of its environment, `styles` the echoes that it meets."""
    canaries = Canaries()
    async with (
        FakeWorld.serving() as world,
        echoing(canaries.word("the token of an IAM that echoes")) as echo,
    ):
        world.iam.tokens._new_text = tokens(canaries).__next__
        port, made = free_port(), _keys(world, canaries)
        identities = _identities(folder, made, canaries)
        served, hopeless = [*WELL], ["rejected", "proxied"]
        for style in styles:
            identities[style] = {**identities["proxied"], "iam_url": f"{echo}/{style}/v3"}
            (served if style in GOOD else hopeless).append(style)
        daemon = Daemon(
            folder / "broker",
            iam={"url": world.url, "timeout": "3s"},
            identities=identities,
            listen=[{"tcp": f"127.0.0.1:{port}"}],
            own={**_environment(made["variables"], canaries, echo), **variables},
        )
        yield Planted(canaries, folder, daemon, port, tuple(served), tuple(hopeless))


def tokens(canaries: Canaries) -> Iterator[str]:
    """Texts of tokens, of Keystone's shape and of none in turn."""
    for number in count():
        made = canaries.fernet if number % 2 else canaries.word
        yield made(f"token {number}")


def _keys(world: FakeWorld, canaries: Canaries) -> dict[str, Key]:
    texts = {
        "directory": canaries.base64("the secret of a directory"),
        "toml": canaries.hex("the secret of a TOML file"),
        "json": canaries.word("the secret of a JSON file"),
        "variables": canaries.word("the secret of the environment"),
        "rejected": canaries.word("a secret that is wrong"),
    }
    realm = world.iam.realm
    made = {name: realm.add_key(realm.add_user("member").id, secret=text) for name, text in texts.items()}
    realm.delete_key(made["rejected"].id)
    return made


def _identities(folder: Path, made: Mapping[str, Key], canaries: Canaries) -> dict[str, dict[str, object]]:
    for name in ("directory", "rejected"):
        keys.private(_made(folder / name) / "id", made[name].id)
        keys.private(folder / name / "secret", made[name].secret)
    toml, by_json = made["toml"], made["json"]
    lines = {"name": toml.name, "user_id": toml.user_id, "secret": toml.secret}
    keys.private(folder / "k.toml", "".join(f"{name} = {json.dumps(text)}\n" for name, text in lines.items()))
    keys.private(folder / "k.json", json.dumps({"id": by_json.id, "secret": by_json.secret}))
    keys.private(_made(folder / "echoed") / "id", "e" * 32)
    keys.private(folder / "echoed" / "secret", canaries.word("the secret that an IAM echoes"))
    return {
        "directory": {"keys": [str(folder / "directory")]},
        "toml": {"keys": [str(folder / "k.toml")]},
        "json": {"keys": [str(folder / "k.json"), str(folder / "rejected")]},
        "variables": {"keys": ["env:"]},
        "rejected": {"keys": [str(folder / "rejected")]},
        # Behind a proxy, which echoes what it was sent too.
        "proxied": {"keys": [str(folder / "echoed")], "iam_url": "https://iam.test/identity/v3"},
    }


def _made(folder: Path) -> Path:
    folder.mkdir(mode=0o700)
    return folder


def _environment(key: Key, canaries: Canaries, echo: str) -> dict[str, str]:
    proxy = echo.removeprefix("http://")
    return {
        "KAKAOCLOUD_APPLICATION_CREDENTIAL_ID": key.id,
        "KAKAOCLOUD_APPLICATION_CREDENTIAL_SECRET": key.secret,
        "https_proxy": f"http://robot:{canaries.plain_word('the password of a proxy')}@{proxy}",
        "HTTP_PROXY": f"http://{canaries.plain_word('the user of a proxy')}@{proxy}",
        # What a user puts where nobody reads it.
        "KAKAOCLOUD_BROKER_SECRET": canaries.word("a secret in a variable that is none"),
        "KAKAOCLOUD_BROKER_KEY": canaries.hex("a secret in another variable that is none"),
        "OS_PASSWORD": canaries.word("a password for other programs"),
        "OS_TOKEN": canaries.word("a token for other programs"),
        "NOTE": canaries.base64("a secret under any name"),
    }
