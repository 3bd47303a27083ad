"""A memory comes back as it was, on the clock of the next start; what is odd does not."""

import contextlib
import json
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.core.memory import Memory
from broker.core.model import Token
from broker.store import form
from broker.store.moments import Stamp, boot_id
from broker.store.unusable import Unusable
from tests.core.builders import reply, token
from tests.store.kept import BOOT, MEMORY, NEXT_BOOT, WHOLE

KEPT = Stamp(BOOT, 1000.0, 50_000.0)
WRITTEN = form.written(MEMORY, KEPT)


def sent_at(memory: Memory) -> float:
    assert memory.reply is not None
    return memory.reply.sent_at


def test_every_field_comes_back():
    assert form.read(WRITTEN, KEPT) == MEMORY
    for field in fields(Token):
        assert getattr(WHOLE, field.name) != field.default, "a field that could be forgotten unseen"
    assert form.read(form.written(Memory(), KEPT), KEPT) == Memory()


def test_nothing_of_iams_clock_comes_back():
    dated = replace(reply(), date=boot_id)  # type: ignore[arg-type]
    read = form.read(form.written(Memory(reply=dated), KEPT), KEPT)
    assert read.reply is not None
    assert read.reply.date is None


def test_within_one_boot_moments_stand_whatever_the_wall_clock_does():
    for wall in (0.0, 50_000.0, 9e9):
        assert sent_at(form.read(WRITTEN, Stamp(BOOT, 1500.1, wall))) == 990.25


@pytest.mark.parametrize(("then", "now"), [(BOOT, NEXT_BOOT), (None, BOOT), (BOOT, None), (None, None)])
def test_after_another_boot_the_wall_clock_says_how_long_ago_it_was(then, now):
    written = form.written(MEMORY, replace(KEPT, boot=then))
    read = form.read(written, Stamp(now, 20.0, 50_100.0))
    assert sent_at(read) == pytest.approx(20.0 - 100.0 - 9.75)


@pytest.mark.parametrize("now", [Stamp(NEXT_BOOT, 20.0, 49_999.0), Stamp(BOOT, 999.0, 60_000.0)])
def test_a_clock_that_reads_earlier_than_it_did_tells_nothing(now):
    with pytest.raises(Unusable, match="clocks"):
        form.read(WRITTEN, now)


def test_a_token_is_dropped_at_its_deadline_and_the_rest_stays():
    deadline = 990.25 + 43200 - 1
    assert form.servable(MEMORY, deadline - 0.001) is MEMORY
    ended = form.servable(MEMORY, deadline)
    assert ended == Memory(evidence=MEMORY.evidence, rejected=MEMORY.rejected)


def test_a_token_known_to_be_dead_is_dropped():
    dead = replace(MEMORY, rejected=("0" * 64, WHOLE.digest))
    assert form.servable(dead, 1000.0) == replace(dead, reply=None, key=None)
    assert form.servable(Memory(), 1000.0) == Memory()


def changed(at: tuple[str | int, ...], to: object) -> bytes:
    document = json.loads(WRITTEN)
    place: Any = document
    for step in at[:-1]:
        place = place[step]
    if to is ...:
        del place[at[-1]]
    else:
        place[at[-1]] = to
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"null",
        b"[]",
        b"\xff\xfe",
        b"[" * 100_000,
        b"1" * 10_000,
        WRITTEN[:-1],
        changed(("more",), 1),
        changed(("key",), ...),
        changed(("key",), 1),
        changed(("evidence",), []),
        changed(("evidence", "key-1"), {}),
        changed(("evidence", "key-1"), [1]),
        changed(("rejected",), {}),
        changed(("rejected", 0), None),
        changed(("kept", "at"), "1"),
        changed(("kept", "at"), True),
        changed(("kept", "at"), float("nan")),
        changed(("kept", "at"), 10**400),
        changed(("kept", "wall"), None),
        changed(("kept", "boot"), 1),
        changed(("reply",), []),
        changed(("reply", "sent_at"), 1000.5),  # after it was kept
        changed(("reply", "lifetime"), 0),
        changed(("reply", "lifetime"), float("inf")),
        changed(("reply", "token", "value"), None),
        changed(("reply", "token", "value"), "\udc80"),
        changed(("reply", "token", "body"), "*"),
        changed(("reply", "token", "body"), "가"),
        changed(("reply", "token", "user"), "u1"),
        changed(("reply", "token", "roles"), {}),
        changed(("reply", "token", "roles", 0, "id"), 1),
        changed(("reply", "token", "restricted"), 0),
        changed(("reply", "token", "access_rules"), None),
        changed(("reply", "token", "digest"), "0" * 64),
        WRITTEN.replace(b"43200.0", b"1e999"),
    ],
    ids=lambda content: f"{len(content)} bytes",
)
def test_what_this_version_does_not_write_is_not_usable(content):
    with pytest.raises(Unusable) as refused:
        form.read(content, KEPT)
    assert str(refused.value) == "its content is not what this version writes"


def json_values() -> st.SearchStrategy[object]:
    simple = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
    return st.recursive(
        simple, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner)
    )


def places(value: object, at: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    inner: Any = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    return [at, *(place for step, item in inner for place in places(item, (*at, step)))]


PLACES = places(json.loads(WRITTEN))[1:]


@given(st.sampled_from(PLACES), json_values())
def test_whatever_stands_somewhere_it_is_read_or_not_usable(at, value):
    with contextlib.suppress(Unusable):
        form.read(changed(at, value), KEPT)


def test_the_boot_is_known_where_the_kernel_says_it(tmp_path):
    assert boot_id() == boot_id() is not None
    path = tmp_path / "boot_id"
    assert boot_id(path) is None
    path.write_text(f"{BOOT}\n")
    assert boot_id(path) == BOOT
    for odd in (b"", b"yes", b"\xff"):
        path.write_bytes(odd)
        assert boot_id(path) is None


def test_a_token_of_every_kind_comes_back():
    memory = Memory(reply=replace(reply(sent_at=1.0), token=token()))
    assert form.read(form.written(memory, KEPT), KEPT) == memory
