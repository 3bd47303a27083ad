"""The whole canary: a secret in everything that a broker reads, and none in anything that it, or a command, emits.

A token may stand in the answer to who may have it, and its SHA-256 anywhere; nothing else is an exception.
"""

import asyncio
import hashlib
import signal
from pathlib import Path

import pytest

from tests.e2e.canaries import Canaries, spellings
from tests.e2e.command import BROKER, ROOT, environment
from tests.e2e.conftest import Figures
from tests.e2e.echoing import STYLES
from tests.e2e.planted import Planted, planted
from tests.e2e.prying import TOKEN, answer, requests
from tests.e2e.waiting import until

pytestmark = pytest.mark.e2e

LEVELS = ("debug", "info", "warning", "error")
FORMS = ("json", "console")
# At the two highest levels one form of each will do: what they write has passed through the form at the lower ones.
RUNS = [*((level, form) for level in LEVELS[:2] for form in FORMS), ("warning", "json"), ("error", "console")]
# The interpreter's own: it then shows what a task and a callback were given, and warns of what was left open.
DEBUGGING = {
    "json": {"PYTHONASYNCIODEBUG": "1", "PYTHONWARNINGS": "default"},
    "console": {"PYTHONDEVMODE": "1"},
}
AT_ONCE = 8
OPEN = ("/metrics", "/v1/identities", "/readyz", "/livez", "/openapi.json")
PROC = (
    "environ", "cmdline", "comm", "maps", "smaps", "status", "stat", "limits", "mountinfo", "cgroup", "auxv", "io",
    "wchan", "stack", "sched", "numa_maps", "oom_score",
)  # fmt: skip


@pytest.mark.parametrize(("level", "form"), RUNS)
async def test_no_secret_is_in_anything_that_is_emitted(
    tmp_path: Path, level: str, form: str, figures: Figures
) -> None:
    """Rule: through good and bad, at each level and in each form, every output is free of every canary."""
    log = {"KAKAOCLOUD_BROKER_LOG__LEVEL": level, "KAKAOCLOUD_BROKER_LOG__FORMAT": form}
    # At the other levels each form meets half of the echoes: with all of them the budget for IAM makes for a long wait.
    styles = [*STYLES] if level == "debug" else [*STYLES][FORMS.index(form) :: 2]
    async with planted(tmp_path, log | (DEBUGGING[form] if level == "debug" else {}), styles) as house:
        async with house.daemon:
            await lived(house)
            await asked(house)
            await pried(house, (LEVELS.index(level) + FORMS.index(form)) % 3)
            if level == "info":  # they do not know at what level the broker logs
                await commanded(house)
            await reloaded(house)
            looked_at(house)
        for name in ("stderr", "stdout"):
            house.said(name, (house.daemon.socket.parent / name).read_bytes())
        kept(house)
        tokens = [text for text, kind in house.canaries.kinds.items() if kind.startswith("token")]
        assert len(tokens) >= 4
        assert house.leaks() == []
        assert b'"event":"token"' in house.outputs["stdout"], "the audit trail was written"
        if level == "debug":
            shown = [hashlib.sha256(token.encode()).hexdigest()[:12] for token in tokens]
            assert any(digest.encode() in house.outputs["stderr"] for digest in shown)
        size = sum(map(len, house.outputs.values()))
        figures(outputs=len(house.outputs), bytes=size, canaries=len(house.canaries.kinds))


async def lived(house: Planted) -> None:
    """Every identity has come to what it can come to; a report has had the ones of an echoing IAM validated."""
    client = house.daemon.client

    async def settled() -> bool:
        rows = {row["identity"]: row for row in (await client.get("/v1/identities")).body["identities"]}
        good = all(rows[name]["state"] == "fresh" for name in house.served)
        return good and all(rows[name]["last_fault"] for name in house.hopeless)

    await until(settled, 30, "all identities have a token or a fault")
    for name in house.served:
        token = (await client.token(name, wait=5)).body["token"]
        body = f'{{"sha256": "{hashlib.sha256(token.encode()).hexdigest()}"}}'
        head = f"POST /v1/identities/{name}/rejections HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\nConnection: close"
        told = await answer(house.daemon.socket, f"{head}\r\n\r\n{body}".encode())
        assert told.startswith(b"HTTP/1.1 "), name


async def asked(house: Planted) -> None:
    """Each answer that holds no token by right, over both ways in."""
    names = (*house.served, *house.hopeless)
    targets = [*OPEN, *(f"/v1/identities/{name}" for name in names), *(f"/readyz/{name}" for name in names)]
    targets += [f"/v1/identities/{name}/token" for name in house.hopeless]
    targets += [f"/v1/identities/{name}/{what}" for name in house.served for what in ("catalog", "projects")]
    for target in targets:
        request = f"GET {target} HTTP/1.1\r\nHost: localhost\r\nMetadata: true\r\nPrefer: wait={5 * target.endswith('projects')}\r\nConnection: close"
        for where in (house.daemon.socket, house.port):
            house.said(f"GET {target}", await answer(where, f"{request}\r\n\r\n".encode()))
    assert b"broker_tokens_served_total" in house.outputs["GET /metrics"]
    assert b"iam_unavailable" in house.outputs["GET /v1/identities/proxied"]
    assert b'"projects": [{' in house.outputs["GET /v1/identities/toml/projects"]


async def pried(house: Planted, shape: int) -> None:
    """Everything that a stranger may send, over both ways in."""
    turn = asyncio.Semaphore(AT_ONCE)

    met: set[bytes] = set()

    async def one(where: Path | int, request: bytes) -> None:
        async with turn:
            got = await answer(where, request)
            met.add(got[9:12])
            house.said("an answer to a prying request", got)

    every = [*requests(house.canaries, shape)]
    await asyncio.gather(
        *(one(where, request) for request in every for where in (house.daemon.socket, house.port))
    )
    kinds = {b"200", b"400", b"403", b"413", b"431"}
    # With the `=` of a token a path is no path.
    kinds |= set() if shape == TOKEN else {b"404", b"405"}
    assert met >= kinds, "each kind of answer was met"


async def commanded(house: Planted) -> None:
    """Each command, well used and ill, and what it is given where it does not belong."""
    canaries, socket, config = house.canaries, house.daemon.socket, house.daemon.config
    at = {"KAKAOCLOUD_BROKER_URL": f"unix://{socket}"}
    word = canaries.word("what a command was given")
    secret, token = (
        canaries.hex("a secret that a command was given"),
        canaries.fernet("a token that it was given"),
    )
    calls: list[tuple[str, ...]] = [
        ("status",),
        ("status", "--json"),
        ("projects", "toml"),
        ("projects", "listed"),
    ]
    calls += [
        ("wait", "--timeout", "0"),
        ("check", "--config", str(config)),
        ("token", "rejected", "--timeout", "0"),
    ]
    for given in (word, secret, token):
        calls += [("token", given), ("wait", given), ("reject", given), ("projects", given)]
    for given in (secret, token):
        calls += [
            (given,),
            (f"--{given}",),
            ("token", "a", given),
            ("status", f"--{given}"),
            ("run", "--config", f"/x/{given}"),
        ]
        calls += [
            ("check", "--config", f"/x/{given}"),
            ("token", "--format", given),
            ("token", "--timeout", given),
        ]
    turn = asyncio.Semaphore(4)

    async def one(call: tuple[str, ...], more: dict[str, str]) -> None:
        async with turn:
            house.said(
                f"broker {call[0] if len(call[0]) < 9 else '...'}", await output(call, {**at, **more}, word)
            )

    own = house.daemon.variables
    await asyncio.gather(
        *(one(call, own if call[0] in {"check", "run"} else {}) for call in calls),
        one(("reject", "toml"), {}),
        one(("status",), {"KAKAOCLOUD_BROKER_URL": f"http://robot:{word}@127.0.0.1:1"}),
        one(("status",), {"KAKAOCLOUD_BROKER_URL": f"http://{secret}:1"}),
        one(("status",), {"KAKAOCLOUD_BROKER_URL": f"unix:///x/{token}"}),
    )


async def output(call: tuple[str, ...], own: dict[str, str], stdin: str) -> bytes:
    """All that `broker CALL` says."""
    child = await asyncio.create_subprocess_exec(
        *(*BROKER, *call),
        cwd=ROOT,
        env=environment({**own, "KAKAOCLOUD_BROKER_TRACEBACK": "1"}),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await asyncio.wait_for(child.communicate(stdin.encode()), 60)
    assert b"Traceback" not in out
    return out


async def reloaded(house: Planted) -> None:
    """A secret in the settings, and a key file that is spoilt, while it runs."""
    good = house.daemon.config.read_text()
    secret = house.canaries.base64("a secret in reloaded settings")
    house.daemon.config.write_text(f'{good}\n[identities.more]\nkeys = ["/{secret}"]\nsecret = "{secret}"\n')
    house.daemon.send(signal.SIGHUP)

    async def refused() -> bool:
        return "reload_refused" in house.daemon.log

    await until(refused, 20, "the reload is refused")
    house.daemon.config.write_text(good)
    spoilt = house.folder / "k.toml"
    spoilt.write_text(f"{secret} = \n")
    house.daemon.send(signal.SIGHUP)
    await house.daemon.client.get("/livez")


def looked_at(house: Planted) -> None:
    """What /proc shows, to root where this is root."""
    proc = Path(f"/proc/{house.daemon.pid}")
    for name in PROC:
        try:
            house.said(f"/proc/PID/{name}", (proc / name).read_bytes())
        except OSError:
            continue  # not even for root, or not on this kernel
    for folder in ("fd", "map_files", "task"):
        try:
            links = [
                str(link.readlink()) if link.is_symlink() else link.name for link in (proc / folder).iterdir()
            ]
        except OSError:
            continue
        house.said(f"/proc/PID/{folder}", "\n".join(links))


def kept(house: Planted) -> None:
    """The names and bytes of all files that the broker has made."""
    made = house.daemon.socket.parent
    for path in made.rglob("*"):
        house.said("names of files", f"{path}\n")
        if path.is_file() and path.parent.name == "cache":
            house.said(f"the file {path.name}", path.read_bytes())
    assert any(where.endswith(".sealed") for where in house.outputs)


@pytest.mark.parametrize("shape", ["word", "base64", "hex", "fernet"])
def test_the_search_finds_every_spelling(shape: str) -> None:
    canaries = Canaries()
    text = getattr(canaries, shape)("it")
    for how, spelling in spellings(text):
        assert canaries.found(b"<" + spelling + b">"), how
    assert canaries.found(f"<{text}>") != []
    assert canaries.found(hashlib.sha256(text.encode()).hexdigest()) == []
