"""The gates are asked in one order: form before intent, and whichever are wrong together, the first of them tells."""

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from broker.serving.doorway import Gate
from broker.serving.gates import OPEN_GATES, UNIX_GATES
from tests.serving.house import AuditBook, house, parsed, tcp_door
from tests.serving.test_gates import GATES, METADATA, PROVEN, doors

FORM = ("version", "target", "framing")
ORDER = {
    "open": (OPEN_GATES, FORM),
    "unix": (UNIX_GATES, (*FORM, "host", "browser", "forwarded")),
    "loopback": (GATES, (*FORM, "host", "browser", "forwarded", "metadata")),
}
# What only one way of being refused is called; the form's are all called bad_request.
CODES = {
    "browser": "browser_request",
    "forwarded": "forwarded_request",
    "metadata": "metadata_header_missing",
}
Raw = Callable[[bytes], Awaitable[bytes]]


@asynccontextmanager
async def standing(kind: str, folder: Path) -> AsyncIterator[tuple[Raw, AuditBook, str]]:
    """How a listener of this kind is asked, who writes down its refusals, and a Host that it refuses."""
    if kind == "loopback":
        async with doors(folder) as (broker, door):
            yield door.raw, broker.audit, "evil.example"
    elif kind == "unix":
        async with house(folder, "default") as broker:
            await broker.issued()
            yield broker.raw, broker.audit, "a@localhost"
    else:
        # One that serves tokens, for where there are none nothing is written down.
        async with (
            house(folder, "default") as broker,
            tcp_door(broker, "127.0.0.1", OPEN_GATES, lambda _: PROVEN) as door,
        ):
            yield door.raw, broker.audit, ""


def request(wrong: Collection[str], host: str) -> bytes:
    """A request with which these gates find fault, and no other one."""
    lines = [
        f"GET {'//' if 'target' in wrong else '/'}v1/token HTTP/{'2.0' if 'version' in wrong else '1.1'}",
        f"Host: {host if 'host' in wrong else 'localhost'}",
        "Connection: close",
        *(["Content-Length: 5"] if "framing" in wrong else []),
        *(["Origin: null"] if "browser" in wrong else []),
        *(["Via: 1.1 x"] if "forwarded" in wrong else []),
        *([] if "metadata" in wrong else [METADATA]),
    ]
    return "\r\n".join([*lines, "", "hello" if "framing" in wrong else ""]).encode()


@pytest.mark.parametrize("kind", ORDER)
def test_each_listener_has_its_gates_in_order(kind: str):
    gates: Sequence[Gate] = ORDER[kind][0]
    assert [gate.name for gate in gates] == [*ORDER[kind][1]]


@pytest.mark.parametrize("kind", ORDER)
async def test_the_first_gate_in_order_is_the_one_that_tells(tmp_path: Path, kind: str):
    names = ORDER[kind][1]
    async with standing(kind, tmp_path) as (raw, audit, host):
        for count in range(1, len(names) + 1):
            for wrong in itertools.combinations(names, count):
                answer = parsed(await raw(request(wrong, host)))
                *_, code, by = audit.refusals.pop()
                assert by == f"gate {wrong[0]}", wrong
                named = "host_not_allowed" if kind == "loopback" else "bad_request"
                expected = named if wrong[0] == "host" else CODES.get(wrong[0], "bad_request")
                assert answer.tree["code"] == code == expected, wrong
        assert audit.hand_outs == []
        assert audit.refusals == []
