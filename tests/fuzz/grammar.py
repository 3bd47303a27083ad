"""Hostile HTTP: honest requests with one to four things wrong, some of them in one stream, down to bytes without a sense.

`streams` makes them, `cuts` says where a stream is split on its way; `PIECES` holds what is wrong.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from hypothesis import strategies as st

from tests.fuzz.pieces import PIECES
from tests.fuzz.spelling import WORDS, Stream

LONGEST = 90_000  # bytes of one stream; the broker hears no more than 64 KiB without an answer


@dataclass(slots=True)
class Draft:
    """A request under way; honest as it is born."""

    method: bytes = b"GET"
    target: bytes = b"/v1/token"
    version: bytes = b" HTTP/1.1"
    line_end: bytes = b"\r\n"
    fields: list[bytes] = field(default_factory=lambda: [b"Host: localhost\r\n", b"Metadata: true\r\n"])
    end: bytes = b"\r\n"
    body: bytes = b""

    def render(self) -> bytes:
        line = self.method + b" " + self.target + self.version + self.line_end
        return line + b"".join(self.fields) + self.end + self.body


Wrong = Callable[[st.DrawFn, Draft], None]


def _other(part: str, kind: str) -> Wrong:
    """Something else in place of this part."""

    def wrong(draw: st.DrawFn, draft: Draft) -> None:
        setattr(draft, part, draw(st.sampled_from(PIECES[kind])))

    return wrong


def _host(draw: st.DrawFn, draft: Draft) -> None:
    draft.fields[0] = b"Host: " + draw(st.sampled_from(PIECES["hosts"])) + b"\r\n"


def _lost(draw: st.DrawFn, draft: Draft) -> None:
    """A field that is missing."""
    if draft.fields:
        draft.fields.remove(draw(st.sampled_from(draft.fields)))
    draft.fields = draft.fields or [b"X: a\r\n"]


def _another(draw: st.DrawFn, draft: Draft) -> None:
    """One more field, before or behind the others."""
    found = draw(st.sampled_from(PIECES["telling"]))
    draft.fields.insert(draw(st.sampled_from([0, len(draft.fields)])), found)


def _length(draw: st.DrawFn, draft: Draft) -> None:
    draft.fields.append(draw(st.sampled_from(PIECES["lengths"])))
    draft.body = draw(st.sampled_from((b"", b"hello", WORDS["report"], b"GET /v1/token HTTP/1.1\r\n")))


def _coding(draw: st.DrawFn, draft: Draft) -> None:
    draft.fields.append(draw(st.sampled_from(PIECES["codings"])))
    draft.body = draw(st.sampled_from(PIECES["chunks"]))


def _both(draw: st.DrawFn, draft: Draft) -> None:
    """Two ends of one request, in either order."""
    first, second = draw(st.sampled_from([(_length, _coding), (_coding, _length)]))
    first(draw, draft)
    second(draw, draft)


def _noise(draw: st.DrawFn, draft: Draft) -> None:
    """A byte where none belongs."""
    noise = draw(st.sampled_from(PIECES["noise"]))
    match draw(st.sampled_from(["method", "target", "field"])):
        case "method":
            draft.method = draft.method[:2] + noise + draft.method[2:]
        case "target":
            draft.target = draft.target[:5] + noise + draft.target[5:]
        case _:
            at = len(draft.fields) // 2
            line = draft.fields[at]
            draft.fields[at] = line[:5] + noise + line[5:]


WRONGS: tuple[Wrong, ...] = (
    *(_other("method", "methods"), _other("target", "targets"), _other("version", "versions")),
    *(_other("line_end", "ends"), _other("end", "ends"), _host, _lost, _another, _another, _another),
    *(_length, _coding, _both, _noise),
)


def _report(draft: Draft) -> None:
    draft.method, draft.target, draft.body = b"POST", b"/v1/identities/default/rejections", WORDS["report"]
    draft.fields.append(b"Content-Length: %d\r\n" % len(WORDS["report"]))


@st.composite
def honest(draw: st.DrawFn) -> bytes:
    """A request that nothing is wrong with."""
    return _honest(draw).render()


def _honest(draw: st.DrawFn) -> Draft:
    draft = Draft(target=draw(st.sampled_from(PIECES["honest-targets"])))
    if draw(st.integers(0, 7)) == 0:
        _report(draft)
    return draft


@st.composite
def hostile(draw: st.DrawFn) -> bytes:
    """A request with one to four things wrong."""
    draft = _honest(draw)
    for wrong in draw(st.lists(st.sampled_from(WRONGS), min_size=1, max_size=4)):
        wrong(draw, draft)
    return draft.render()


@st.composite
def torn(draw: st.DrawFn) -> bytes:
    """A request with a few bytes changed, wherever they are, or broken off."""
    request = bytearray(draw(honest() | hostile())[:2000])
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(request)))
        request[at : at + draw(st.integers(0, 2))] = draw(
            st.sampled_from(PIECES["noise"]) | st.binary(max_size=2)
        )
    return bytes(request[: draw(st.integers(0, len(request)))] if draw(st.booleans()) else request)


_PART = hostile() | hostile() | torn() | honest() | st.binary(max_size=60)

streams: st.SearchStrategy[Stream] = st.lists(_PART, min_size=1, max_size=4).map(
    lambda parts: Stream(b"".join(parts)[:LONGEST])
)


def split(stream: bytes, places: list[float]) -> list[bytes]:
    """The stream in pieces, cut at these fractions of its length."""
    ends = sorted({int(place * len(stream)) for place in places} - {0, len(stream)})
    return [stream[start:end] for start, end in zip([0, *ends], [*ends, len(stream)], strict=True)]


cuts: st.SearchStrategy[list[float]] = st.lists(st.floats(0, 1), max_size=6)
