"""Any sign of a container keeps root out; no sign is needed to let nobody else in."""

from pathlib import Path

import pytest

from broker.callers.container import FIRST_PID_NAMESPACE, in_container


@pytest.mark.parametrize(
    ("environ", "mark", "expected"),
    [
        ({}, None, False),
        ({"container": ""}, None, False),
        ({"PATH": "/bin", "HOSTNAME": "kubernetes"}, "run/systemd/system", False),
        ({"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, None, True),
        ({"KUBERNETES_SERVICE_HOST": ""}, None, True),
        ({"container": "podman"}, None, True),
        ({}, ".dockerenv", True),
        ({}, "run/.containerenv", True),
        ({}, "run/systemd/container", True),
    ],
)
def test_each_sign_counts(tmp_path: Path, environ: dict[str, str], mark: str | None, expected: bool):
    if mark:
        (tmp_path / mark).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / mark).touch()
    assert in_container(environ, tmp_path, lambda: FIRST_PID_NAMESPACE) is expected


@pytest.mark.parametrize("namespace", [None, 4026532000])
def test_another_pid_namespace_than_the_first_is_a_sign(tmp_path: Path, namespace: int | None):
    """Plain containerd leaves no mark at all. What is hidden cannot be told from it."""
    assert in_container({}, tmp_path, lambda: namespace)
