"""Hostile HTTP for the Keystone facade: its clients' own requests with one to four things wrong, in their JSON too."""

from hypothesis import strategies as st

from tests.fuzz import grammar
from tests.fuzz.grammar import LONGEST, WRONGS, Draft, Wrong
from tests.fuzz.pieces import PIECES
from tests.fuzz.spelling import WORDS, Stream

_HOST = b"Host: localhost\r\n"


def _login(draw: st.DrawFn) -> Draft:
    draft = Draft(b"POST", draw(st.sampled_from(PIECES["login-targets"])))
    draft.fields = [_HOST, b"Content-Type: application/json\r\n"]
    _claim(draw, draft)
    return draft


def _look(draw: st.DrawFn) -> Draft:
    draft = Draft(draw(st.sampled_from((b"GET", b"GET", b"HEAD", b"DELETE"))))
    draft.target = draw(st.sampled_from(PIECES["facade-targets"]))
    draft.fields = [_HOST, *draw(st.sampled_from(PROOFS))]
    return draft


def _of(name: str, token: str = "gAAAAABtheTokenOfDefault") -> bytes:
    return f"{name}: {token}\r\n".encode()


_AUTH, _SUBJECT = _of("X-Auth-Token"), _of("X-Subject-Token")
_OTHER = "gAAAAABtheTokenOfOther"
# What clients show: the token that they have, one that others have, one of nobody, or nothing.
PROOFS = (
    (_AUTH, _SUBJECT),
    (_AUTH, _SUBJECT),
    (_AUTH,),
    (_SUBJECT,),
    (_of("X-Auth-Token", _OTHER), _SUBJECT),
    (_AUTH, _of("X-Subject-Token", _OTHER)),
    (_of("X-Auth-Token", _OTHER), _of("X-Subject-Token", _OTHER)),
    (_of("X-Auth-Token", "zq17MARKER"), _SUBJECT),
    (),
)


def _claim(draw: st.DrawFn, draft: Draft) -> None:
    """Another body, with the length that it has."""
    draft.body = draw(st.sampled_from((WORDS["claim"], WORDS["claim"], *PIECES["claims"])))
    draft.fields = [line for line in draft.fields if not line.startswith(b"Content-Length")]
    draft.fields.append(b"Content-Length: %d\r\n" % len(draft.body))


def _mangled(draw: st.DrawFn, draft: Draft) -> None:
    """A body with some of its bytes changed and its length kept."""
    body = bytearray(draft.body)
    for _ in range(draw(st.integers(1, 3))):
        if body:
            body[draw(st.integers(0, len(body) - 1))] = draw(st.integers(0, 255))
    draft.body = bytes(body)


def _chunked(draw: st.DrawFn, draft: Draft) -> None:
    """The same body in two chunks."""
    at = draw(st.integers(0, len(draft.body)))
    pieces = [piece for piece in (draft.body[:at], draft.body[at:]) if piece]
    draft.body = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
    draft.fields = [line for line in draft.fields if not line.startswith(b"Content-Length")]
    draft.fields.append(b"Transfer-Encoding: chunked\r\n")


def _target(draw: st.DrawFn, draft: Draft) -> None:
    draft.target = draw(st.sampled_from(PIECES["facade-targets"] + PIECES["odd-facade-targets"]))


def _told(draw: st.DrawFn, draft: Draft) -> None:
    """A field of Keystone's clients, before or behind the others."""
    found = draw(st.sampled_from(PIECES["facade-fields"]))
    draft.fields.insert(draw(st.sampled_from([0, len(draft.fields)])), found)


_OF_THE_FACADE: tuple[Wrong, ...] = (_claim, _claim, _mangled, _chunked, _target, _target, _told, _told)


def _honest(draw: st.DrawFn) -> Draft:
    return (_login if draw(st.booleans()) else _look)(draw)


@st.composite
def honest(draw: st.DrawFn) -> bytes:
    """A request as a client of Keystone sends it."""
    return _honest(draw).render()


@st.composite
def hostile(draw: st.DrawFn) -> bytes:
    """One with one to four things wrong, of any HTTP or of Keystone's API."""
    draft = _honest(draw)
    wrongs = st.sampled_from(_OF_THE_FACADE) | st.sampled_from(WRONGS)
    for wrong in draw(st.lists(wrongs, min_size=1, max_size=4)):
        wrong(draw, draft)
    return draft.render()


@st.composite
def torn(draw: st.DrawFn) -> bytes:
    """One with a few bytes changed, wherever they are, or broken off."""
    request = bytearray(draw(honest() | hostile())[:2000])
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(request)))
        request[at : at + draw(st.integers(0, 2))] = draw(st.sampled_from(PIECES["noise"]))
    return bytes(request[: draw(st.integers(0, len(request)))] if draw(st.booleans()) else request)


_PART = hostile() | hostile() | torn() | honest() | grammar.hostile() | grammar.honest()

streams: st.SearchStrategy[Stream] = st.lists(_PART, min_size=1, max_size=4).map(
    lambda parts: Stream(b"".join(parts)[:LONGEST])
)
