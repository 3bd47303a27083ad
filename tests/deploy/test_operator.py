"""What the Prometheus operator and Grafana are given is the kit's, whole and the same."""

import shutil
import subprocess

import pytest
import yaml

from tests.deploy.kit import FOLDER, alerts, document


def test_the_operators_form_holds_the_same_rules():
    assert document("prometheusrule.yaml")["spec"] == document("alerts.yaml"), "its second line makes it anew"


def test_both_monitors_scrape_one_port_and_at_a_pace_that_the_rules_can_live_with():
    [pod] = document("podmonitor.yaml")["spec"]["podMetricsEndpoints"]
    [service] = document("servicemonitor.yaml")["spec"]["endpoints"]
    assert pod == service == {
        "port": "broker-metrics", "path": "/metrics", "interval": "30s", "scrapeTimeout": "10s",
    }  # fmt: skip
    assert len(pod["port"]) <= 15, "Kubernetes allows a port's name no more"
    shortest = min(int(rule["for"][:-1]) for rule in alerts() if rule.get("for", "").endswith("m"))
    assert int(pod["interval"][:-1]) * 2 <= shortest * 60, "two samples within each `for`"


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not on PATH")
def test_all_of_it_is_brought_by_one_command():
    done = subprocess.run(["kubectl", "kustomize", FOLDER], capture_output=True, text=True, check=True)
    brought = {thing["kind"]: thing for thing in yaml.safe_load_all(done.stdout)}
    assert set(brought) == {"ConfigMap", "PodMonitor", "PrometheusRule", "ServiceMonitor"}
    assert brought["ConfigMap"]["data"] == {"kakaocloud-broker.json": (FOLDER / "dashboard.json").read_text()}
