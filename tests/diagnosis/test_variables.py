"""Variables that clients trip over."""

import pytest

from broker.diagnosis.finding import exit_code
from broker.diagnosis.variables import variables
from tests.diagnosis.told import told

PROXIES = ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY")


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)


def test_an_address_that_is_none_is_a_problem():
    findings = [*variables({"KAKAOCLOUD_BROKER_URL": "https://user:pass@broker/"})]
    assert exit_code(findings) == 1
    assert "pass@" not in "".join(told(findings))


def test_a_proxy_without_an_exemption_for_loopback_is_told_without_its_password(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setenv("http_proxy", "http://user:canary@proxy:3128")
    (line,) = told(variables({}))
    assert line.startswith("warning: http_proxy is set, and 127.0.0.1 and localhost not exempt")
    assert "canary" not in line
    monkeypatch.setenv("no_proxy", "127.0.0.1,::1,localhost")
    assert told(variables({})) == ["ok: http_proxy is set, and loopback is exempt by no_proxy"]
