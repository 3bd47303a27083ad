"""Secrets where a user must not put them: the broker does not start, says where to look, and does not repeat them.

- A word without a shape is kept in wherever a value is no name and no path; those are shown, and cannot be told from a word.
- What looks like KakaoCloud's secrets or tokens is kept in everywhere.
"""

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.e2e import keys
from tests.e2e.canaries import Canaries
from tests.e2e.command import ROOT, Ended, broker, environment
from tests.e2e.conftest import Figures

pytestmark = pytest.mark.e2e

AT_ONCE = 4
# Each call in a process of its own that has loaded everything already: a new interpreter each would take a minute.
CHECKS = """
import json, os, sys
import broker.__main__ as command
from broker.cli import check, main
ended = []
for folder, argv, own in json.load(sys.stdin):
    if (pid := os.fork()) == 0:
        said = os.open(f"{folder}/said", os.O_WRONLY | os.O_CREAT, 0o600)
        os.dup2(said, 1), os.dup2(said, 2)
        os.environ.update(own)
        sys.argv[:] = argv
        try:
            command.main()
        except SystemExit as end:
            sys.stdout.flush(), sys.stderr.flush()
            os._exit(end.code)
        os._exit(70)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    ended.append((code, open(f"{folder}/said", errors="surrogateescape").read()))
print(json.dumps(ended))
"""
ID = "4f" * 16
OTHER = "a-secret-of-no-matter-here"


@dataclass(slots=True)
class Start:
    """What a start is given."""

    folder: Path
    toml: str = ""
    keys: str = ""  # the source of the key; by default a good directory
    own: dict[str, str] = field(default_factory=dict)
    config: str | None = None

    def directory(self, **fields: str) -> str:
        """A key's directory."""
        folder = self.folder / "given"
        folder.mkdir(mode=0o700)
        for name, text in fields.items():
            keys.private(folder / name, text)
        return str(folder)

    def file(self, name: str, text: str) -> str:
        """A key's file."""
        keys.private(self.folder / name, text)
        return str(self.folder / name)


Mistake = Callable[[Start, str], None]


def _toml(text: str) -> Mistake:
    def make(start: Start, secret: str) -> None:
        start.toml = text.replace("CANARY", secret)

    return make


def _variable(name: str, text: str) -> Mistake:
    def make(start: Start, secret: str) -> None:
        start.own = {f"KAKAOCLOUD_BROKER_{name}".replace("CANARY", secret): text.replace("CANARY", secret)}

    return make


def _directory(**fields: str) -> Mistake:
    def make(start: Start, secret: str) -> None:
        start.keys = start.directory(
            **{name: text.replace("CANARY", secret) for name, text in fields.items()}
        )

    return make


def _file(name: str, text: str) -> Mistake:
    def make(start: Start, secret: str) -> None:
        start.keys = start.file(name, text.replace("CANARY", secret))

    return make


def _readable_by_all(start: Start, secret: str) -> None:
    start.keys = start.directory(id=ID, secret=secret)
    (Path(start.keys) / "secret").chmod(0o644)


def _source(text: str) -> Mistake:
    def make(start: Start, secret: str) -> None:
        start.keys = text.replace("CANARY", secret)

    return make


def _config(start: Start, secret: str) -> None:
    start.config = f"/nonexistent/{secret}.toml"


# Where a word is no more to be shown than anything else.
ANYTHING: dict[str, Mistake] = {
    "a field of the identity": _toml('[identities.shop]\nkeys = ["/k"]\nsecret = "CANARY"'),
    "the user of an address": _toml('[iam]\nurl = "https://CANARY@iam.example/v3"'),
    "the password of an address": _toml('[iam]\nurl = "https://robot:CANARY@iam.example/v3"'),
    "a query of an address": _toml('[iam]\nurl = "https://iam.example/v3?secret=CANARY"'),
    "a user of a grant": _toml('[[grants]]\nidentity = "default"\nusers = ["CANARY"]'),
    "a group of a grant": _toml('[[grants]]\nidentity = "default"\ngroups = ["CANARY"]'),
    "the identity of a grant": _toml('[[grants]]\nidentity = "CANARY"\nusers = [1]'),
    "a time-out": _toml('[iam]\ntimeout = "CANARY"'),
    "a level": _toml('[log]\nlevel = "CANARY"'),
    "an audit": _toml('[log]\naudit = "CANARY"'),
    "an address to listen at": _toml('[[listen]]\ntcp = "CANARY"'),
    "a mode": _toml('[[listen]]\nunix = "/s"\nmode = "CANARY"'),
    "a host": _toml('[serving]\nhosts = ["CANARY!"]'),
    "an end of a key": _toml('[identities.shop]\nkeys = ["/k"]\nkey_expires_at = "CANARY"'),
    "no TOML": _toml("[iam]\nCANARY CANARY"),
    "no TOML either": _toml('[iam]\nurl = "CANARY'),
    "a source": _source("CANARY"),
    "a variable of the identity": _variable("IDENTITIES__SHOP__SECRET", "CANARY"),
    "a variable of a time": _variable("IAM__TIMEOUT", "CANARY"),
    "a variable that is no JSON": _variable("LISTEN", '[{"CANARY'),
    "a variable of a list": _variable("GRANTS", '[{"identity": "default", "users": ["CANARY"]}]'),
    "two lines": _directory(id=ID, secret="CANARY\nCANARY"),
    "an id of two lines": _directory(id="CANARY\nCANARY", secret=OTHER),
    "quotes": _directory(id=ID, secret=" 'CANARY'"),
    "both methods": _directory(id=ID, name="CANARY", user_id="CANARY", secret="CANARY"),
    "changed places": _directory(id="CANARY", secret=ID),
    "readable by all": _readable_by_all,
    "a broken key in TOML": _file("k.toml", 'id = "x"\nsecret = CANARY'),
    "a broken key in JSON": _file("k.json", '{"id": "x", "secret": "CANARY'),
    "a list in JSON": _file("k.json", '["CANARY"]'),
    "a field of a key that is none": _file(
        "k.json", json.dumps({"id": ID, "secret": OTHER, "CANARY-": "CANARY"})
    ),
    "a number in its place": _file("k.json", '{"id": {"CANARY": "CANARY"}, "secret": ["CANARY"]}'),
}
# Names and paths.
SHAPED: dict[str, Mistake] = {
    "a section": _toml("[CANARY]"),
    "a key": _toml('[iam]\nCANARY = "x"'),
    "an identity": _toml('[identities.CANARY]\nkeys = ["/k"]'),
    "a unit": _toml('[[grants]]\nidentity = "default"\nunits = ["CANARY.service"]'),
    "a CA file": _toml('[iam]\nca_file = "/etc/CANARY"'),
    "the path of an address": _toml('[iam]\nurl = "https://iam.example/CANARY"'),
    "the host of an address": _toml('[iam]\nurl = "https://CANARY/v3"'),
    "a cache": _toml('[cache]\npath = "/var/CANARY"'),
    "a trail": _toml('[log]\naudit = "/var/CANARY"'),
    "a socket": _toml('[[listen]]\nunix = "/run/CANARY"'),
    "a path": _source("/etc/CANARY"),
    "a file": _source("/etc/CANARY.toml"),
    "a configuration": _config,
    "the name of a variable": _variable("IAM__CANARY", "x"),
    "an id": _directory(id="CANARY", secret=OTHER),
    "a name": _directory(name="CANARY", user_id=ID, secret=OTHER),
    "a user's id": _directory(name="n", user_id="CANARY", secret=OTHER),
}


def _cases() -> list[tuple[str, Mistake, str]]:
    """Each with its shape."""
    cases = [(name, mistake, shape) for name, mistake in ANYTHING.items() for shape in ("plain_word", "hex")]
    # A token's `=` has a meaning of its own in the name of a variable.
    return cases + [
        (name, mistake, "base64" if len(name) % 2 or "variable" in name else "fernet")
        for name, mistake in SHAPED.items()
    ]


def test_a_check_does_not_say_why_in_the_secrets_own_words(tmp_path: Path, figures: Figures) -> None:
    """Rule: exit 78 and sentences without the secret, for every mistake."""
    canaries = Canaries()
    cases = {f"{name}, as {shape}": (mistake, shape) for name, mistake, shape in _cases()}
    calls = []
    for number, (name, (mistake, shape)) in enumerate(cases.items()):
        start, config = _made(tmp_path / str(number), mistake, getattr(canaries, shape)(name))
        calls.append(
            (str(config.parent), ["broker", "check", "--config", str(start.config or config)], start.own)
        )
    done = subprocess.run(
        [sys.executable, "-c", CHECKS],
        input=json.dumps(calls),
        check=True,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=environment(),
        timeout=100,
    )
    ended = dict(zip(cases, json.loads(done.stdout), strict=True))
    assert {name: said for name, (code, said) in ended.items() if code != 78} == {}
    assert {name: found for name, (_, said) in ended.items() if (found := canaries.found(said))} == {}
    assert not any("Traceback" in said for _, said in ended.values())
    figures(mistakes=len(ended))


async def test_a_start_does_not_either(tmp_path: Path, figures: Figures) -> None:
    """Rule: `broker run` ends with the same; it goes the same way up to here, so that some of them are enough."""
    canaries, turn = Canaries(), asyncio.Semaphore(AT_ONCE)

    async def one(number: int, name: str, mistake: Mistake, shape: str) -> tuple[str, Ended]:
        async with turn:
            start, config = _made(tmp_path / str(number), mistake, getattr(canaries, shape)(name))
            return name, await broker("run", "--config", start.config or config, own=start.own)

    cases = _cases()[::7]
    ended = dict(await asyncio.gather(*(one(number, *case) for number, case in enumerate(cases))))
    assert {name: end.err for name, end in ended.items() if end.code != 78} == {}
    assert {name: found for name, end in ended.items() if (found := canaries.found(end.out + end.err))} == {}
    figures(mistakes=len(ended))


def _made(folder: Path, mistake: Mistake, secret: str) -> tuple[Start, Path]:
    folder.mkdir()
    start = Start(folder)
    mistake(start, secret)
    source = start.keys or start.directory(id=ID, secret=OTHER)
    own = "[[listen]]" in start.toml or "LISTEN" in str(start.own)
    listen = "" if own else f'[[listen]]\nunix = "{folder}/s"\n'
    config = folder / "broker.toml"
    config.write_text(f"{listen}[identities.default]\nkeys = [{json.dumps(source)}]\n{start.toml}\n")
    return start, config
