"""What the auditor is told: each hand-out with the rule that allowed it, each refusal with the gate or rule that decided."""

import os
from pathlib import Path

from broker.core.access import Grant, Owner, Policy, Workload
from broker.core.secret import Secret
from broker.keeper.setting import Validation
from broker.serving.doorway import Serve
from broker.serving.gates import OPEN_GATES
from tests.serving.house import SOCKET, house, places, tcp_door, until
from tests.serving.test_gates import METADATA, PROVEN, doors

DIGEST = Secret("token-of-default").sha256()
NOBODY = Owner(uid=4711, in_container=True)
ME = frozenset({os.getuid()})


async def test_a_hand_out_names_caller_rule_token_and_the_life_left(tmp_path: Path):
    policy = Policy(NOBODY, (Grant("other", users=ME), Grant("default", users=ME)))
    async with house(tmp_path, "default", "other", policy=policy) as broker:
        await broker.issued(life=1000.0)
        assert (await broker.get("/v1/identities/default/token")).status == 200
        assert (await broker.get("/v1/token", headers={"Accept": "text/plain"})).status == 200
        for caller, identity, by, digest, life in broker.audit.hand_outs:
            assert (caller.uid, caller.pid, caller.listener) == (os.getuid(), os.getpid(), SOCKET)
            assert (identity, by, digest, life) == ("default", "grants[1]", DIGEST, 999.0)
        assert len(broker.audit.hand_outs) == len(broker.books.tokens) == 2


async def test_what_takes_no_token_away_is_no_hand_out(tmp_path: Path):
    async with house(tmp_path, "default") as broker:
        await broker.issued()
        etag = (await broker.get("/v1/token")).headers["ETag"]
        await broker.get("/v1/token", "HEAD")
        assert (await broker.get("/v1/token", headers={"If-None-Match": etag})).status == 304
        for target in ("/v1/identities", "/v1/identities/default", "/readyz", "/metrics"):
            assert (await broker.get(target)).status == 200
        assert len(broker.audit.hand_outs) == 1
        assert broker.audit.refusals == []


async def test_a_report_that_is_answered_with_a_token_is_one(tmp_path: Path):
    async with house(tmp_path, "default", validation=Validation()) as broker:
        await broker.issued()
        assert (await broker.reject("another")).tree["token"] is not None
        assert [by for _, _, by, _, _ in broker.audit.hand_outs] == ["a list of the test"]


async def test_a_denial_names_the_rule_and_only_a_name_of_the_configuration(tmp_path: Path):
    policy = Policy(NOBODY, (Grant("default", users=frozenset({4712})),), {SOCKET: frozenset({"default"})})
    async with house(tmp_path, "default", "other", policy=policy) as broker:
        for name in ("default", "other", "a-word-of-a-stranger"):
            assert (await broker.get(f"/v1/identities/{name}/token")).status == 403
        told = [
            (caller and caller.uid, listener, identity, reason, by)
            for caller, listener, identity, reason, by in broker.audit.refusals
        ]
        where = (os.getuid(), SOCKET)
        assert told == [
            (*where, "default", "access_denied", "no grant"),
            (*where, "other", "access_denied", "the listener's identities"),
            (*where, None, "access_denied", "the listener's identities"),
        ]


async def test_each_gate_the_parser_and_the_proof_are_named(tmp_path: Path):
    async with doors(tmp_path) as (broker, door):
        await door.ask("/v1/token", METADATA, host="evil.example")
        await door.ask("/v1/token", METADATA, "Origin: null")
        await door.ask("/v1/token", METADATA, "Via: x")
        await door.ask("/v1/token")
        await door.ask("/v1/%74oken", METADATA)
        head = b"GET /v1/token HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        await door.raw(head + b"Content-Length: 5\r\n\r\nhello")
        await door.raw(b"GET /v1/token HTTP/2.0\r\n\r\n")
        await door.raw(b"nonsense\r\n\r\n")
        await door.ask("/v1/nowhere", METADATA)
        told = [(reason, by) for _, _, _, reason, by in broker.audit.refusals]
        assert told == [
            ("host_not_allowed", "gate host"),
            ("browser_request", "gate browser"),
            ("forwarded_request", "gate forwarded"),
            ("metadata_header_missing", "gate metadata"),
            ("bad_request", "gate target"),
            ("bad_request", "gate framing"),
            ("bad_request", "gate version"),
            ("bad_request", "parser"),
            ("not_found", "route"),
        ]
        assert {caller for caller, *_ in broker.audit.refusals} == {PROVEN}
        assert [reason for reason, _ in told] == broker.books.refusals


async def test_whom_the_kernel_does_not_prove_and_who_is_too_many_are_told(tmp_path: Path):
    async with house(tmp_path, "default", prove=lambda _: None) as broker:
        await broker.get("/v1/token")
        assert broker.audit.refusals == [(None, SOCKET, None, "caller_unknown", "proof")]
    full = places(0)
    folder = tmp_path / "2"
    folder.mkdir()
    async with house(folder, "default", crowd=full) as broker:
        await broker.raw(b"")
        await until(lambda: broker.audit.refusals)
        [(caller, _, _, reason, by)] = broker.audit.refusals
        assert isinstance(caller, Workload)
        assert (caller.uid, reason, by) == (os.getuid(), "too_many_connections", "crowd")


async def test_a_door_for_health_alone_has_nothing_to_audit(tmp_path: Path):
    serve = frozenset({Serve.HEALTH, Serve.METRICS})
    async with (
        house(tmp_path, "default") as broker,
        tcp_door(broker, "127.0.0.1", OPEN_GATES, lambda _: None, serve) as door,
    ):
        assert (await door.ask("/v1/token")).status == 404
        assert broker.audit.refusals == []
        assert broker.books.refusals == ["not_found"]
