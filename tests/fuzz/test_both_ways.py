"""With the express lane and without it, the same bytes at the same moments bring the same answers, counts and audit lines.

Streams are of plain requests for tokens, of others, and of hostile ones; merged, cut anywhere, on connections that are new or
have been answered by the lane; and between the pieces time passes, tokens die and permissions go.
"""

import asyncio
import json
import re
from pathlib import Path

import pytest
from hypothesis import strategies as st

from broker.core.secret import Secret
from tests.fuzz import grammar
from tests.fuzz.budget import MINUTES, tried
from tests.fuzz.leaping import LeapingLoop
from tests.fuzz.spelling import Stream
from tests.fuzz.twins import Happening, Told, told, twins
from tests.fuzz.verdict import steady
from tests.serving.house import House

pytestmark = pytest.mark.timeout(120 + 60 * MINUTES)

TARGETS = ("/v1/token", "/v1/identities/default/token", "/v1/identities/other/token")
PLAIN = [
    f"GET {target}{query} HTTP/1.1\r\nHost: x\r\n{more}\r\n".encode()
    for target in TARGETS
    for query in ("", "?format=text", "?format=json")
    for more in ("", "Accept: text/plain\r\n", "Connection: close\r\n")
]
# What an answer depends on besides, or what is answered in another way; each looks like one that is remembered.
PARTICULAR = [
    "Prefer: wait=0\r\n", "prefer: wait=2\r\n", "If-None-Match: *\r\n", 'If-None-Match: W/"x"\r\n', "Expect: 100-continue\r\n",
    "Content-Length: 0\r\n", "Content-Length: 5\r\n\r\nhello", "Transfer-Encoding: chunked\r\n\r\n0\r\n", "Range: bytes=0-3\r\n",
    "Connection: Upgrade\r\nUpgrade: h2c\r\n", "Connection: Upgrade\r\n", "Origin: null\r\n", "Via: 1.1 x\r\n", "Host: y\r\n",
    "Accept: a;q=x, */*;q=0\r\n", "X: \u00e9\r\n", "TE: trailers\r\n", "Accept-Encoding: gzip\r\n", "X: %(length)d%s\r\n",
]  # fmt: skip
GOOD = re.compile(rb"HTTP/1\.[01] (?:200|304) ")
LATER = 2.0  # seconds: the lane looks once in one whose time is over


def report(token: str) -> bytes:
    """A report of a token that the brokers hold, or do not."""
    body = json.dumps({"sha256": Secret(token).sha256()})
    head = "POST /v1/identities/default/rejections HTTP/1.1\r\nHost: x\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode()


OTHERS = [
    *(f"GET {TARGETS[0]} HTTP/1.1\r\nHost: x\r\n{more}\r\n".encode("latin-1") for more in PARTICULAR),
    *(f"HEAD {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode() for target in TARGETS),
    b"GET /v1/token HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    b"GET /v1/token HTTP/1.1\nHost: x\n\n",
    b"\r\n\r\n" + PLAIN[0],
    PLAIN[0] + b"\r\n\r\n",
    b"GET /v1/token?min_ttl=1 HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /v1/token?min_ttl=30000 HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /v1/token?format=xml HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /v1/identities/nobody/token HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /v1/identities HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /v1/token HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 7000 + b"\r\n\r\n",
    report("token-of-default"),
    report("another"),
]


async def _a_moment(broker: House) -> None:
    await broker.clock.advance(0.4)


async def _a_second(broker: House) -> None:
    await broker.clock.advance(1.0)


def _to(point: str) -> Happening:
    async def happen(broker: House) -> None:
        """Up to the last moment before one of its life, or to that itself."""
        held = broker.keyring["default"].lease.held
        if held is not None:
            at = getattr(held.span, point) - broker.clock.now()
            await broker.clock.advance(max(0.0, at))

    return happen


async def _tick(broker: House) -> None:
    broker.keyring.observe()


async def _grant(broker: House) -> None:
    if broker.issuers["default"].calls:
        broker.issuers["default"].grant(f"token-at-{broker.clock.now():.3f}")


async def _fail(broker: House) -> None:
    if broker.issuers["default"].calls:
        broker.issuers["default"].fail()


async def _nobody(broker: House) -> None:
    broker.regrant()


async def _only_other(broker: House) -> None:
    broker.regrant("other")


async def _both(broker: House) -> None:
    broker.regrant("default", "other")


HAPPENINGS: list[Happening] = [
    *(_a_moment, _a_second, _tick, _grant, _fail, _nobody, _only_other, _both),
    *(_to("due_at"), _to("critical_at"), _to("deadline")),
]

_plain, _other = st.sampled_from(PLAIN), st.sampled_from(OTHERS)
_honest = _plain | _plain | _plain | _other
_hostile = grammar.hostile() | grammar.torn() | st.binary(max_size=30)
_parts = st.lists(_honest, min_size=1, max_size=6) | st.lists(_honest | _hostile, min_size=1, max_size=4)


@st.composite
def pieces(draw: st.DrawFn) -> list[bytes | int]:
    """One request after the other, some of them joined, cut or repeated, with happenings between some."""
    found: list[bytes | int] = []
    for part in draw(_parts):
        match draw(st.sampled_from(["alone", "alone", "joined", "cut", "late", "again"])):
            case "joined" if found and isinstance(found[-1], bytes):
                found[-1] = Stream(found[-1] + part)
            case "cut" if part:
                found += map(Stream, grammar.split(part, draw(grammar.cuts)))
            case "again":
                before = [piece for piece in found if isinstance(piece, bytes)][-1:]
                found += [*before, Stream(part)]
            case "late":
                found += [draw(st.integers(0, len(HAPPENINGS) - 1)), Stream(part)]
            case _:
                found.append(Stream(part))
    return found


def alike(sent: list[bytes | int], lane: Told, plain: Told, *, slowly: bool) -> None:
    """All is the same. Where it ends in what is none, and is sent in a hurry, the refusal may come earlier, see `verdict`."""
    if slowly or steady(b"".join(piece for piece in sent if isinstance(piece, bytes))):
        assert lane == plain
        assert abs(lane.seconds - plain.seconds) <= LATER
        return
    shorter, longer = sorted((GOOD.findall(one.heard) for one in (lane, plain)), key=len)
    assert longer[: len(shorter)] == shorter


def test_the_same_bytes_bring_the_same_answers(tmp_path: Path) -> None:
    """`known`: others have asked before, so that even a first request may be answered by the lane; `used`: we have, too."""
    with asyncio.Runner(loop_factory=LeapingLoop) as runner:

        async def tell(
            *, sent: list[bytes | int], known: bool, used: int, slowly: bool, to_its_end: bool
        ) -> list[Told]:
            async with twins(tmp_path, "default", "other") as brokers:
                for broker in brokers.both:
                    broker.regrant("default")
                if known:
                    await brokers.warm(PLAIN)
                patience = 100.0 if to_its_end else 0
                before = PLAIN[:used]
                return [
                    await told(broker, sent, HAPPENINGS, patience=patience, slowly=slowly, before=before)
                    for broker in brokers.both
                ]

        def one(sent: list[bytes | int], *, known: bool, used: int, slowly: bool, to_its_end: bool) -> None:
            lane, plain = runner.run(
                tell(sent=sent, known=known, used=used, slowly=slowly, to_its_end=to_its_end)
            )
            alike(sent, lane, plain, slowly=slowly)

        tried(
            "both ways", one, 150, 0.2, sent=pieces(), known=st.booleans(), used=st.integers(0, 2),
            slowly=st.booleans(), to_its_end=st.sampled_from([False, False, False, True]),
        )  # fmt: skip
