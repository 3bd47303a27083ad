"""The Dockerfile as a linter sees it; the image itself is built by `make image`."""

import re
import subprocess
from pathlib import Path

import pytest

from broker import __version__

ROOT = Path(__file__).parents[2]
LINTER = ROOT / ".cache/deploy-venv/bin/hadolint"
TEXT = (ROOT / "Dockerfile").read_text()


@pytest.mark.skipif(not LINTER.exists(), reason="run make deploy-tools first")
def test_a_linter_finds_nothing_wrong():
    done = subprocess.run([LINTER, ROOT / "Dockerfile"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_base_is_pinned_and_the_last_stage_is_empty_but_for_what_is_copied():
    assert re.search(r"^ARG BASE=\S+@sha256:[0-9a-f]{64}$", TEXT, re.MULTILINE)
    last = TEXT[TEXT.rindex("\nFROM ") :]
    assert last.startswith("\nFROM scratch\n")
    assert "\nRUN " not in last
    assert "\nUSER 65532:65532\n" in last
    assert not re.search(r"^(RUN|COPY) .*<<", TEXT, re.MULTILINE), "no heredocs: not every builder knows them"


def test_the_version_of_the_examples_and_of_the_image_is_the_brokers():
    assert f"TAG ?= kakaocloud-broker:{__version__}\n" in (ROOT / "Makefile").read_text()
    for file in (ROOT / "deploy/examples").rglob("kustomization.yaml"):
        assert set(re.findall(r"newTag: (\S+)", file.read_text())) <= {__version__}
