"""The sidecar's components with every kind of workload that they know, and with one that wants none."""

import os
import shutil
from pathlib import Path

import pytest
import yaml

from broker.settings import load
from tests.deploy.rendering import ROOT, Object, pod, rendered, sidecar

FOLDER = "/run/kakaocloud-broker"
pytestmark = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not on PATH")


def test_a_cron_jobs_pods_get_what_others_get():
    (others,) = yaml.safe_load_all((ROOT / "deploy/sidecar/pod.yaml").read_text())
    (cron_jobs,) = yaml.safe_load_all((ROOT / "deploy/sidecar/cron-job.yaml").read_text())
    assert cron_jobs["spec"]["jobTemplate"]["spec"]["template"] == others["spec"]["template"]


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob"])
def test_every_kind_of_workload_gets_it_on_loopback_too_but_for_one_that_says_off(tmp_path: Path, kind: str):
    components = [
        os.path.relpath(ROOT / f"deploy/{each}", tmp_path.resolve())
        for each in ("sidecar", "sidecar-loopback")
    ]
    (tmp_path / "kustomization.yaml").write_text(
        yaml.safe_dump({"resources": ["all.yaml"], "components": components})
    )
    (tmp_path / "all.yaml").write_text(
        yaml.safe_dump_all([_workload(kind, "with"), _workload(kind, "without", "off")])
    )
    made = {each["metadata"]["name"]: pod(each) for each in rendered(tmp_path)}
    assert made["without"] == pod(_workload(kind, "without"))
    (container,) = made["with"]["containers"]
    assert [mount["mountPath"] for mount in container["volumeMounts"]] == [FOLDER]
    settings = load(None, {each["name"]: each["value"] for each in sidecar(made["with"])["env"]})
    served = [each.label for each in settings.listen if "tokens" in each.serve]
    assert served == [f"{FOLDER}/broker.sock", "127.0.0.1:9780"]
    assert [list(grant.listeners or ()) for grant in settings.grants] == [served]


def _workload(kind: str, name: str, label: str | None = None) -> Object:
    """The smallest one; `label` is what it says of the sidecar."""
    spec: Object = {"template": {"spec": {"containers": [{"name": "application", "image": "application"}]}}}
    spec = {"jobTemplate": {"spec": spec}} if kind == "CronJob" else spec
    labels = {} if label is None else {"kakaocloud-broker": label}
    group = "batch/v1" if kind.endswith("Job") else "apps/v1"
    return {"apiVersion": group, "kind": kind, "metadata": {"name": name, "labels": labels}, "spec": spec}
