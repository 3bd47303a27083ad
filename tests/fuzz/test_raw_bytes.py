"""Whatever bytes arrive, split wherever: the broker refuses or closes in time, tells no secret, and serves the next one."""

import pytest

from tests.fuzz import grammar
from tests.fuzz.attack import attack, hang_up, unharmed
from tests.fuzz.budget import MINUTES, tried
from tests.fuzz.corpus import keep
from tests.fuzz.spelling import WORDS, Stream, read
from tests.fuzz.standing import Standing
from tests.fuzz.verdict import judged

pytestmark = pytest.mark.timeout(120 + 60 * MINUTES)


@pytest.mark.parametrize("door", ["unix", "tcp"])
def test_hostile_bytes(broker: Standing, door: str) -> None:
    """What is found in `make fuzz` is kept, as small as it could be made."""
    last = Stream()

    def one(stream: Stream, places: list[float]) -> None:
        nonlocal last
        last = stream
        attack(broker, door, stream, places)
        hang_up(broker, door, stream, places)
        unharmed(broker, door)

    try:
        tried(f"hostile bytes over {door}", one, 40, 0.3, stream=grammar.streams, places=grammar.cuts)
    except BaseException as error:
        if MINUTES:
            error.add_note(f"kept as {keep(last, door)} in tests/fuzz/corpus/found.txt")
        raise


@pytest.mark.parametrize("first", ["GET /livez", "GET /v1/token"])
def test_behind_an_upgrade_no_body_is_read_as_a_request(broker: Standing, first: str) -> None:
    """The head of the second request comes with the first one, and its body alone."""
    upgrade = read(first + r" HTTP/1.1\r\n{fields}Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
    head = read(rf"POST /v1/nothing HTTP/1.1\r\n{{fields}}Content-Length: {len(WORDS['honest'])}\r\n\r\n")
    heard = broker.ask("tcp", [upgrade + head, WORDS["honest"]])
    judged(upgrade + head + WORDS["honest"], "tcp", heard)


@pytest.mark.parametrize(
    "text",
    [
        r"GET /v1/token HTTP/1.0\r\n{fields}Connection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        r"{get}Transfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n",
        r"{get}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    ],
    ids=["http-1.0", "identity", "gzip"],
)
@pytest.mark.parametrize("door", ["unix", "tcp"])
def test_behind_a_framing_that_is_refused_nothing_is_read(broker: Standing, door: str, text: str) -> None:
    """RFC 9112, section 6.1: a server closes after it, as somebody else may see another end."""
    stream = read(text + "{honest}")
    judged(stream, door, broker.ask(door, [stream]))
