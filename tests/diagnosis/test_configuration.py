"""What a doctor may say of settings that it reads as somebody else than the broker."""

import os
from pathlib import Path

import pytest

from broker.core.errors import Problem
from broker.diagnosis import configuration
from broker.diagnosis.finding import Level
from tests.app.whole import key_folder

OTHER = 4711


def written(folder: Path, keys: str | Path) -> Path:
    config = folder / "broker.toml"
    config.write_text(
        f'[identities.default]\nkeys = ["{keys}"]\n[[listen]]\nunix = "{folder}/s"\n[log]\naudit = "off"\n'
    )
    return config


def levels(config: Path | None, **environ: str) -> list[Level]:
    return [one.level for one in configuration.configuration(config, environ).findings]


def test_good_ones_and_those_with_a_mistake(tmp_path: Path):
    config = written(tmp_path, key_folder(tmp_path / "keys", "an-id", "a-secret"))
    assert levels(config) == [Level.OK]
    config.write_text("[iam]\nurll = 1\n")
    found = configuration.configuration(config, {})
    assert found.settings is None
    assert Level.PROBLEM in {one.level for one in found.findings}


def test_none_at_all_may_be_elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(configuration, "DEFAULT_FILE", tmp_path / "none")
    assert levels(None) == [Level.WARNING]


@pytest.mark.parametrize(
    ("what", "broker", "level"),
    [
        ("is owned by somebody", OTHER, Level.WARNING),
        ("does not exist", OTHER, Level.PROBLEM),
        ("is owned by somebody", None, Level.PROBLEM),
        ("is owned by somebody", os.geteuid(), Level.PROBLEM),
    ],
)
def test_what_depends_on_who_looks_is_doubted_beside_a_broker_of_another_user(
    what: str, broker: int | None, level: Level
):
    assert configuration._seen(Problem("/k", what, "r"), broker).level is level


def test_what_systemd_decrypts_for_the_unit_is_not_missed_while_it_does_not_run(tmp_path: Path):
    assert levels(written(tmp_path, "/run/credentials/kakaocloud-broker.service/none")) == [
        Level.OK,
        Level.WARNING,
    ]


def test_what_this_user_may_not_read_is_not_seen(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(os, "geteuid", lambda: OTHER)
    one = configuration._found(Problem("/k", f"may not be read by uid {OTHER}", "r"))
    assert (one.level, one.says) == (Level.WARNING, "was not seen: this user may not read it")
