"""Where a token may go: the operator's address, with a region in its place, and never to a host of a caller's choice."""

from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.exchange.places import KAKAOCLOUD, REGION, STORAGE, is_region, places, template_problem

IAM = "https://iam.kakaocloud.com/identity/v3"
GOOD = [
    KAKAOCLOUD,
    "https://objectstorage.{region}.kakaocloud.com/",
    "https://{region}.storage.example",
    "https://a.{region}.b.example.com:8443/sts",
    "https://storage.example/{region}",
    "https://storage.example",
    "http://127.0.0.1:9770/s3/{region}",
    "http://[::1]:9770/{region}/x",
]
HOSTS = st.text("abz09.-_:/@?#[]{}%\\ \t\n\u00e9", max_size=30) | st.sampled_from(
    ["evil.example", "x.evil", "a@evil", "..", "kr-central-2"]
)


@pytest.mark.parametrize("url", GOOD)
def test_good_addresses(url: str):
    assert template_problem(url, insecure=False) is None


@pytest.mark.parametrize(
    "url",
    [
        "https://{region}",
        "https://{region}.example",
        "https://{region}.com:443",
        "https://storage.{region}",
        "https://storage-{region}.example.com",
        "https://{region}x.storage.example.com",
        "https://{region}:{region}@storage.example.com",
        "https://{region}@storage.example.com",
        "https://storage.example.com:{region}",
        "{region}://storage.example.com",
        "https://a.{region}.b.example.com/{region}",
        "https://a.{zone}.b.example.com",
        "https://storage.example/{",
        "http://objectstorage.{region}.kakaocloud.com",
        "https://storage.example/?r={region}",
        "ftp://storage.example/{region}",
    ],
)
def test_addresses_that_are_refused(url: str):
    assert template_problem(url, insecure=False) is not None


@pytest.mark.parametrize("region", ["kr-central-2", "a", "0", "kr", "a" * 63])
def test_regions(region: str):
    assert is_region(region)


@pytest.mark.parametrize(
    "region", ["", "-a", "a-", "A", "a.b", "a/b", "a:1", "a@b", "a%2eb", "a\n", "{region}", "a" * 64]
)
def test_what_is_no_region(region: str):
    assert not is_region(region)


@pytest.mark.parametrize("template", GOOD)
@given(region=HOSTS)
def test_no_region_leads_to_another_host(template: str, region: str):
    """The attack: a caller chooses a region so that the broker sends its token to a host of the caller's."""
    known = places(template, REGION, IAM)
    assert known is not None
    usual, url = urlsplit(known.url(REGION) or ""), known.url(region)
    if url is None:
        return
    parts = urlsplit(url)
    assert (parts.scheme, parts.port, parts.username) == (usual.scheme, usual.port, None)
    assert parts.hostname == (usual.hostname or "").replace(REGION, region)
    assert parts.path == usual.path.replace(REGION, region)
    assert (parts.query, parts.fragment) == ("", "")


def test_an_address_without_a_place_knows_the_usual_region_alone():
    known = places("https://storage.example", "kr-gov-1", IAM)
    assert known is not None
    assert known.url("kr-gov-1") == "https://storage.example"
    assert known.url("kr-central-2") is None


@pytest.mark.parametrize(
    "iam",
    ["https://iam.gov.example/identity/v3", "http://127.0.0.1:9770/identity/v3", "https://kakaocloud.com/v3"],
)
def test_a_token_of_another_realm_goes_nowhere_unless_the_operator_says_where(iam: str):
    assert places(None, REGION, iam) is None
    told = places("https://storage.gov.example", REGION, iam)
    assert told is not None
    assert told.url(REGION) == "https://storage.gov.example"


def test_what_is_to_be_mended_is_the_setting_that_gave_the_address():
    ours, other = places(None, REGION, IAM), places("https://storage.example", REGION, IAM)
    assert ours is not None
    assert other is not None
    for known, setting in ((ours, "s3.region"), (other, "s3.url")):
        endpoint = known.endpoint(None, 10.0, 5.0, insecure=False)
        assert (endpoint.peer.url, endpoint.peer.name) == (setting, STORAGE.name)
    assert (
        ours.endpoint(None, 10.0, 5.0, insecure=False).url
        == "https://objectstorage.kr-central-2.kakaocloud.com"
    )
