"""The sidecar's manifests as kustomize renders them: what security teams ask for, what applications need, and settings that hold.

Where the judges' environment was made (`make deploy-tools`), each is held against Kubernetes' own schemas too, strictly.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from broker.settings import TcpListener, UnixListener, load
from tests.deploy.rendering import ROOT, pod, pods, rendered, sidecar

EXAMPLES = sorted(path.name for path in (ROOT / "deploy/examples").iterdir())
NATIVE = [name for name in EXAMPLES if name != "before-native-sidecars"]
MINORS = ("1.34", "1.35", "1.36", "1.37")
JUDGE = ROOT / ".cache/deploy-venv/bin/kubernetes-validate"
FOLDER = "/run/kakaocloud-broker"
_OWN = """resources:
  - deployment.yaml
components:
  - {sidecar}
images:
  - name: kakaocloud-broker
    newName: registry.example.com/kakaocloud-broker
    newTag: 0.1.0
"""

pytestmark = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not on PATH")


@pytest.mark.parametrize("name", NATIVE)
def test_it_starts_before_the_application_and_no_job_waits_for_it(name: str):
    for spec in pods(name):
        broker = spec["initContainers"][0]
        assert (broker["name"], broker["restartPolicy"]) == ("kakaocloud-broker", "Always")
        assert broker["startupProbe"]["exec"]["command"] == ["broker", "wait", "--timeout", "0"]
        assert {broker[f"{kind}Probe"]["httpGet"]["port"] for kind in ("readiness", "liveness")} == {
            "broker-metrics"
        }


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_container_passes_pod_securitys_level_restricted(name: str):
    """See https://kubernetes.io/docs/concepts/security/pod-security-standards/."""
    for spec in pods(name):
        for container in [*spec.get("initContainers", []), *spec["containers"]]:
            context = spec.get("securityContext", {}) | container.get("securityContext", {})
            assert context["runAsNonRoot"] is True
            assert context.get("runAsUser") != 0
            assert context["allowPrivilegeEscalation"] is False
            assert context["capabilities"] == {"drop": ["ALL"]}
            assert context["seccompProfile"] == {"type": "RuntimeDefault"}
            assert context["readOnlyRootFilesystem"] is True
            assert container["resources"]["limits"]["memory"]
        kinds = {kind for volume in spec["volumes"] for kind in volume if kind != "name"}
        assert kinds <= {"emptyDir", "secret", "configMap", "projected", "csi"}
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec)


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_socket_is_shared_as_a_folder_in_memory_and_the_key_with_nobody(name: str):
    for spec in pods(name):
        volumes = {volume["name"]: volume for volume in spec["volumes"]}
        secrets = {volume for volume, what in volumes.items() if "secret" in what}
        assert all(what["secret"]["defaultMode"] == 0o440 for what in volumes.values() if "secret" in what)
        assert all(what["emptyDir"]["medium"] == "Memory" for what in volumes.values() if "emptyDir" in what)
        for container in spec["containers"]:
            if container["name"] == "kakaocloud-broker":
                continue
            mounts = container["volumeMounts"]
            assert not secrets & {mount["name"] for mount in mounts}
            (socket,) = (mount for mount in mounts if mount["mountPath"].startswith(FOLDER))
            assert socket["readOnly"] is True
            (url,) = (each["value"] for each in container["env"] if each["name"] == "KAKAOCLOUD_BROKER_URL")
            assert url == f"unix://{socket['mountPath']}/broker.sock"


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_settings_hold_and_tokens_are_served_within_the_pod_alone(name: str):
    for spec in pods(name):
        variables = {each["name"]: each["value"] for each in sidecar(spec)["env"]}
        variables.pop("KAKAOCLOUD_BROKER_URL", None)
        settings = load(None, variables)
        sockets = [each for each in settings.listen if isinstance(each, UnixListener)]
        beyond = [each for each in settings.listen if isinstance(each, TcpListener)]
        assert [each.serve for each in beyond] == [("health", "metrics")]
        mounts = [Path(mount["mountPath"]) for mount in sidecar(spec)["volumeMounts"]]
        wanted = [*(key for each in settings.identities.values() for key in each.keys), settings.cache.path]
        wanted += [each.unix for each in sockets]
        assert all(any(Path(str(path)).is_relative_to(mount) for mount in mounts) for path in wanted)


def test_who_has_a_deployment_adds_it_in_ten_lines(tmp_path: Path):
    own = _OWN.format(sidecar=os.path.relpath(ROOT / "deploy/sidecar", tmp_path.resolve()))
    assert len(own.splitlines()) <= 10
    (tmp_path / "kustomization.yaml").write_text(own)
    shutil.copy(ROOT / "deploy/examples/deployment/deployment.yaml", tmp_path)
    (made,) = rendered(tmp_path)
    assert sidecar(pod(made))["restartPolicy"] == "Always"


@pytest.mark.skipif(not JUDGE.exists(), reason="run make deploy-tools first")
@pytest.mark.parametrize("minor", MINORS)
def test_kubernetes_schema_finds_nothing_wrong(tmp_path: Path, minor: str):
    file = tmp_path / "all.yaml"
    file.write_text(
        yaml.safe_dump_all(one for name in EXAMPLES for one in rendered(ROOT / "deploy/examples" / name))
    )
    done = subprocess.run(
        [JUDGE, "--strict", "--kubernetes-version", minor, file], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
