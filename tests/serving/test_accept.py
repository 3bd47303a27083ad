"""Which form a caller wants, by `Accept` and its weights."""

import pytest
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict

from broker.serving.accept import wants_text


@pytest.mark.parametrize(
    ("headers", "text"),
    [
        ([], False),
        ([""], False),
        (["*/*"], False),
        (["application/json"], False),
        (["text/plain"], True),
        (["TEXT/PLAIN"], True),
        (["text/*"], True),
        (["text/html"], False),
        (["text/plain; charset=utf-8"], True),
        (["text/plain, */*;q=0.1"], True),
        (["text/plain;q=0.5, application/json;q=0.4"], True),
        (["text/plain;q=0.4, application/json;q=0.5"], False),
        (["text/plain; Q=0.4, application/json; q=0.5"], False),
        (["text/plain;q=0.5, application/json;q=0.5"], False),
        (["application/json, text/plain"], False),
        (["application/*;q=0.2, text/plain;q=0.3"], True),
        (["*/*;q=0.8, text/plain;q=0.9"], True),
        (["*/*, application/json;q=0"], True),
        (["*/*, text/plain;q=0"], False),
        (["text/plain;q=0"], False),
        (["text/plain;q=0", "application/json"], False),
        (["text/*;q=0.9, text/plain;q=0.1, application/json;q=0.5"], False),
        (["application/json;q=0.1", "text/plain"], True),
        (["text/plain;q="], False),
        (["text/plain;q=much"], False),
        (["text/plain;q=nan"], False),
        ([",,;q=1,;"], False),
    ],
)
def test_the_heavier_wish_wins_and_json_when_they_are_equal(headers: list[str], text: bool):
    lines = CIMultiDict([("Accept", value) for value in headers])
    assert wants_text(make_mocked_request("GET", "/v1/token", lines)) is text
