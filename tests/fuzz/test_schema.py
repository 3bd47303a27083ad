"""Requests made from the API's description, as it says and as it forbids: every answer is as the description says."""

import pytest
from hypothesis import strategies as st
from schemathesis import GenerationMode

from tests.fuzz.budget import MINUTES, tried
from tests.fuzz.described import Made, ask, cases, in_order, operations
from tests.fuzz.standing import Standing
from tests.fuzz.wire import Answer, answers

OPERATIONS = {operation.label: operation for operation in operations()}
PATHS = {operation.path.replace("{name}", "default"): operation.method for operation in operations()}
# What a request without parameters could have wrong is no matter of its description.
WITH_SOMETHING_TO_FORBID = [label for label, each in OPERATIONS.items() if [*each.iter_parameters()]]

pytestmark = pytest.mark.timeout(120 + 60 * MINUTES)


def judge(broker: Standing, label: str, mode: GenerationMode, doors: list[str]) -> None:
    def one(case: Made, door: str) -> None:
        in_order(case, ask(broker, door, case))

    share = 0.14 / (len(OPERATIONS) + len(WITH_SOMETHING_TO_FORBID))
    drawn = cases(OPERATIONS[label], mode)
    tried(f"{label}, {mode.value}", one, 12, share, case=drawn, door=st.sampled_from(doors))


@pytest.mark.parametrize("label", OPERATIONS)
def test_what_is_described_is_answered_as_described(broker: Standing, label: str) -> None:
    judge(broker, label, GenerationMode.POSITIVE, ["unix", "tcp"])


@pytest.mark.parametrize("label", WITH_SOMETHING_TO_FORBID)
def test_what_the_description_forbids_is_refused(broker: Standing, label: str) -> None:
    """Over TCP, as one of the parameters is looked at only there."""
    judge(broker, label, GenerationMode.NEGATIVE, ["tcp"])


@pytest.mark.parametrize("path", PATHS)
def test_methods_that_are_not_described_are_refused_and_head_is_as_get(broker: Standing, path: str) -> None:
    said = {
        method: _said(broker, method, path) for method in ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH")
    }
    known = {"POST"} if PATHS[path] == "post" else {"GET", "HEAD"}
    assert {method for method, answer in said.items() if answer.status != 405} == known
    for method in said.keys() - known:
        assert set(said[method].fields["allow"].split(",")) == known
    if "HEAD" in known:
        assert said["HEAD"].status == said["GET"].status == 200
        assert said["HEAD"].fields.keys() == said["GET"].fields.keys()
        assert said["HEAD"].body == b""


def _said(broker: Standing, method: str, path: str) -> Answer:
    request = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    heard = broker.ask("unix", [request.encode()])
    (answer,) = answers(heard.answer, cut=False, heads=method == "HEAD")
    return answer
