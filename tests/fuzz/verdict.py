"""Whether what was heard on a connection is in order, given all that was said there."""

from collections.abc import Sequence

from tests.fuzz.oracle import Asked, Right, read, right, second_opinion
from tests.fuzz.pieces import MARKER
from tests.fuzz.standing import FORBIDDEN, TOKEN, Heard
from tests.fuzz.wire import Answer, answers

# The broker's deadlines: a request, a connection that is kept, a body, what follows a refusal; and a second of slack.
UNHEARD = 13.0
KEPT = 75.0
BODY = 22.0
POLL = 31.0

_USUAL = {b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS", b"TRACE"}

# Whatever is no refusal; the facade has more of them than our own API.
GOOD = frozenset({200, 201, 204, 300, 304})

Outline = list[tuple[int, str]]


def judged(stream: bytes, door: str, heard: Heard, *, half_closed: bool = False) -> Outline:
    """The statuses and codes of all answers, once all of it is in order; AssertionError says what is not."""
    assert heard.ended != "open", "it neither answered nor closed"
    assert MARKER not in heard.answer, "it repeats what was sent"
    assert FORBIDDEN.encode() not in heard.answer, "it gives what nobody may have"
    asked, _ = read(stream)
    cut = half_closed or heard.ended == "reset"
    told = answers(heard.answer, cut=cut, heads=b"HEAD" in stream)
    if interim := [answer for answer in told if answer.status == 100]:
        assert b"100-continue" in stream.lower(), "nobody asked for an interim answer"
    final = [answer for answer in told if answer.status != 100]
    for index, answer in enumerate(final):
        _permitted(answer, asked[index] if index < len(asked) else None, door)
    if given := heard.answer.count(TOKEN.encode()):
        assert given <= second_opinion(stream), "h11 reads fewer requests"
    _in_time(heard, final, stream)
    if steady(stream) and not cut:
        _served(asked, final, door)
    assert len(interim) <= len(final) or cut
    return [answer.outline for answer in final]


def steady(stream: bytes) -> bool:
    """Whether nothing in it is in doubt."""
    asked, rest = read(stream)
    plain = all(
        one.target.startswith(b"/") and b"#" not in one.target and one.method in _USUAL for one in asked
    )
    return plain and not rest and len(stream) < 30_000


def _permitted(answer: Answer, asked: Asked | None, door: str) -> None:
    best = Right.NOTHING if asked is None else right(asked, door)
    has_token = TOKEN.encode() in answer.body or TOKEN in answer.fields.values()
    if answer.status in GOOD:
        assert best is not Right.NOTHING, ("nothing was to be given", asked, answer)
        assert best is Right.TOKEN or not has_token, ("no token was to be given", asked, answer)
        return
    assert not has_token, answer
    too_long = asked is not None and b"min_ttl=" in asked.target
    assert 400 <= answer.status < 500 or (answer.status == 503 and too_long), (asked, answer)


def _in_time(heard: Heard, final: Sequence[Answer], stream: bytes) -> None:
    """A connection ends by itself."""
    most = UNHEARD
    if final:
        most += KEPT + BODY + POLL * stream.count(b"wait=")
    assert heard.seconds <= most, (heard.seconds, most)


def _served(asked: Sequence[Asked], final: Sequence[Answer], door: str) -> None:
    """Who sends nothing but requests that can be read gets one answer to each, and what he has a right to."""
    # What cannot be read on behind it, and what a gate refuses, ends the connection; a gate's answer says so.
    ended = next(
        (
            index
            for index, answer in enumerate(final)
            if answer.status in {400, 413, 431}
            or (answer.status == 403 and answer.fields.get("connection") == "close")
        ),
        None,
    )
    if ended is not None:
        asked = asked[: ended + 1]
    assert len(final) >= len(asked), ("one was not answered", asked, final)
    for one, answer in zip(asked, final, strict=False):
        if right(one, door) is not Right.NOTHING and answer.status in {403, 404, 405}:
            raise AssertionError(("it was turned away", one, answer))


def alike(stream: bytes, one: Outline, other: Outline) -> None:
    """However a stream is split, it is answered alike; where it ends in what is none, the refusal may come earlier."""
    if steady(stream):
        assert one == other, (one, other)
        return
    good = [[status for status, _ in each if status in GOOD] for each in (one, other)]
    shorter, longer = sorted(good, key=len)
    assert longer[: len(shorter)] == shorter, (one, other)
