"""Identities, keys and the time to a token, as a broker shows them to this user."""

from pathlib import Path

import pytest

from broker.diagnosis import identities
from tests.cli.command import at
from tests.client.scripted import answered, bare, scripted
from tests.diagnosis.told import told

CANARY = b"gAAAAABcanary"
KEY = {"place": "primary", "standing": "good", "expires_at": None, "risks": ["unrestricted", "no_expiry"]}
ROW = {
    "identity": "shop", "state": "fresh", "degraded": [], "stale": False, "expires_in": 3600, "project": None, "roles": [],
    "key": "-", "last_fault": None, "next_try": None, "reasons": [], "keys": [KEY],
}  # fmt: skip
DENIED = answered(403, {"code": "access_denied", "detail": "no grant"})


def found(path: Path, *rows: dict[str, object], token: bytes = bare(CANARY)) -> list[str]:
    with scripted(path / "s", answered(200, {"identities": rows}), token):
        return told(identities.identities(at(path / "s")))


def test_a_good_one_and_what_is_risky_of_its_key_and_no_token_is_told(tmp_path: Path):
    lines = found(tmp_path, ROW)
    assert lines[:3] == [
        "ok: fresh, its token lives 1 h more",
        "ok: good; its end is not known, or it has none",
        "warning: is risky in wrong hands: it may make further keys; make one without `unrestricted`",
    ]
    assert lines[3].startswith("ok: handed to this user in ")
    assert CANARY.decode() not in "".join(lines)


@pytest.mark.parametrize(("left", "level"), [(60, "warning"), (None, "problem")])
def test_a_reason_is_a_problem_once_there_is_no_token(tmp_path: Path, left: int | None, level: str):
    reasons = [{"code": "key_rejected", "detail": "give another"}]
    lines = found(tmp_path, {**ROW, "expires_in": left, "reasons": reasons, "keys": []})
    assert f"{level}: key_rejected: give another" in lines


@pytest.mark.parametrize(
    ("end", "begin"),
    [("2020-01-01T00:00:00Z", "problem: has ended"), ("2999-01-01T00:00:00Z", "ok: good; ends in ")],
)
def test_the_end_of_a_key(tmp_path: Path, end: str, begin: str):
    lines = found(tmp_path, {**ROW, "keys": [{**KEY, "expires_at": end, "risks": []}]})
    assert lines[1].startswith(begin)


def test_who_may_not_read_is_told_as_whom_to_run_it(tmp_path: Path):
    lines = found(tmp_path, {**ROW, "keys": []}, token=DENIED)
    assert lines[-1].startswith("warning: this user may see it, and not read it; if it should, grant it")
    (tmp_path / "2").mkdir()
    assert found(tmp_path / "2", token=DENIED)[0].startswith("warning: this user may see none; ")


def test_a_broker_that_is_away_is_another_looks_matter(tmp_path: Path):
    assert told(identities.identities(at(tmp_path / "none"))) == []
