"""Whatever bytes reach the Keystone facade: nothing but a claim that is one brings a token, and the next one is served."""

import json

import pytest

from tests.fuzz import grammar, logins
from tests.fuzz.attack import attack, hang_up, unharmed
from tests.fuzz.budget import MINUTES, tried
from tests.fuzz.claims import best, claims
from tests.fuzz.corpus import keep
from tests.fuzz.grammar import Draft
from tests.fuzz.pieces import PIECES
from tests.fuzz.spelling import WORDS, Stream, read
from tests.fuzz.standing import TOKEN, Standing
from tests.fuzz.verdict import judged

pytestmark = pytest.mark.timeout(120 + 60 * MINUTES)


def test_hostile_bytes(broker: Standing) -> None:
    """What is found in `make fuzz` is kept, as small as it could be made."""
    last = Stream()

    def one(stream: Stream, places: list[float]) -> None:
        nonlocal last
        last = stream
        attack(broker, "tcp", stream, places)
        hang_up(broker, "tcp", stream, places)
        unharmed(broker, "tcp")

    try:
        tried("hostile bytes at the facade", one, 40, 0.16, stream=logins.streams, places=grammar.cuts)
    except BaseException as error:
        if MINUTES:
            error.add_note(f"kept as {keep(last, 'tcp')} in tests/fuzz/corpus/found.txt")
        raise
    assert TOKEN.encode() in broker.ask("tcp", [read("{login}")]).answer


@pytest.mark.parametrize("method", ["GET", "DELETE", "POST"])
def test_every_target_is_judged_with_every_proof(broker: Standing, method: str) -> None:
    for target in (*PIECES["facade-targets"], *PIECES["odd-facade-targets"]):
        for proof in logins.PROOFS[1:]:
            fields = [b"Host: localhost\r\n", *proof, b"Connection: close\r\n"]
            request = Draft(method.encode(), target, fields=fields).render()
            judged(request, "tcp", broker.ask("tcp", [request]))


@pytest.mark.parametrize("body", PIECES["claims"], ids=range(len(PIECES["claims"])))
def test_a_claim_brings_what_the_oracle_says(broker: Standing, body: bytes) -> None:
    """Both ways: what it calls a claim is one for the broker, too."""
    head = (
        b"POST /v3/auth/tokens HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
    )
    heard = broker.ask("tcp", [head % len(body) + body])
    assert (TOKEN.encode() in heard.answer) == claims(body), (body, heard.answer)


def test_who_judges_knows_a_claim() -> None:
    assert claims(WORDS["claim"])
    tree = json.loads(WORDS["claim"])
    for scope, own in (
        ({"project": {"id": "p1"}}, True),
        ({"project": {"id": "p2"}}, False),
        ("unscoped", False),
    ):
        assert claims(json.dumps({"auth": {**tree["auth"], "scope": scope}}).encode()) == own
    kind, auth = (b"content-type", b"application/json"), (b"x-auth-token", TOKEN.encode())
    assert best(b"POST", b"/v3/auth/tokens", (kind,), WORDS["claim"]) == "token"
    assert best(b"POST", b"/v3/users", (kind,), WORDS["claim"]) == ""
    assert best(b"GET", b"/v3/users", (auth,), b"") == "answer"
    assert best(b"GET", b"/v3/users", (), b"") == ""
    assert best(b"GET", b"/identity", (), b"") == "answer"
