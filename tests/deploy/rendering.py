"""Manifests as kustomize renders them, and where in them the broker stands."""

import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, cast

import yaml

ROOT = Path(__file__).parents[2]
Object = dict[str, Any]


@cache
def rendered(folder: Path) -> list[Object]:
    done = subprocess.run(["kubectl", "kustomize", folder], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


def pod(made: Object) -> Object:
    """The spec of the pods of a workload."""
    spec: Object = made["spec"]
    spec = spec["jobTemplate"]["spec"] if made["kind"] == "CronJob" else spec
    return cast("Object", spec["template"]["spec"])


def pods(name: str) -> Iterator[Object]:
    for made in rendered(ROOT / "deploy/examples" / name):
        yield pod(made)


def sidecar(spec: Object) -> Object:
    """The broker's container, wherever it stands."""
    containers = [*spec.get("initContainers", []), *spec["containers"]]
    return next(each for each in containers if each["name"] == "kakaocloud-broker")
