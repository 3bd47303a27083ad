"""Where IAM may be, and where a token may follow a link."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.issuer.endpoint import IAM, Endpoint
from broker.outward.address import host_and_port, is_loopback, next_url, url_problem

BASE = "https://iam.example.com/identity/v3"


@pytest.mark.parametrize(
    "url",
    [
        BASE,
        f"{BASE}/",
        "https://iam.example.com",
        "https://iam.example.com:8443/v3",
        "https://10.0.0.1/v3",
        "https://[2001:db8::1]:8443/v3",
        "http://127.0.0.1:5000/v3",
        "http://127.9.9.9/v3",
        "http://localhost:5000/v3",
        "http://[::1]:5000/v3",
    ],
)
def test_good_addresses(url: str):
    assert url_problem(IAM, url, insecure=False) is None


@pytest.mark.parametrize(
    "url",
    [
        "",
        "iam.example.com",
        "//iam.example.com/v3",
        "ftp://iam.example.com/v3",
        "https:///v3",
        "https://iam.example.com:0/v3",
        "https://iam.example.com:99999/v3",
        "https://iam.example.com:port/v3",
        "https://[::1/v3",
        "https://[v1.a:b]/v3",
        "https://[fe80::1%25eth0]/v3",
        "https://iam.exa%6dple.com/v3",
        "https://이암.example.com/v3",
        "https://iam.example.com/v 3",
        "https://iam.example.com\\@evil.example/v3",
        "https://iam.example.com/v3\n",
        "https://iam.example.com/v3?",
        "https://iam.example.com/v3#",
        "https://iam.example.com/v3/../v2",
        "https://iam.example.com/v3/%2e%2E",
        "https://@iam.example.com/v3",
        "http://iam.example.com@127.0.0.1/v3",
    ],
)
def test_addresses_that_are_no_address_of_iam(url: str):
    assert url_problem(IAM, url, insecure=True) is not None


@pytest.mark.parametrize(
    "host", ["iam.example.com", "10.0.0.1", "127.0.0.1.example.com", "localhost.example", "127.1"]
)
def test_plain_http_beyond_loopback_needs_a_word(host: str):
    assert "unencrypted" in (url_problem(IAM, f"http://{host}/v3", insecure=False) or "")
    assert url_problem(IAM, f"http://{host}/v3", insecure=True) is None


def test_a_password_in_the_address_is_not_repeated():
    assert "canary" not in (url_problem(IAM, "https://user:canary@iam.example.com/v3", insecure=False) or "")
    with pytest.raises(ValueError, match=r"^iam\.url holds a user or a password") as caught:
        Endpoint("https://user:canary@iam.example.com/v3")
    assert "canary" not in str(caught.value)


def test_an_endpoint_is_kept_without_its_last_slash():
    assert Endpoint(f"{BASE}/").url == BASE


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan"), float("inf")])
def test_an_endpoint_without_a_deadline_is_refused(seconds: float):
    with pytest.raises(ValueError, match="time-outs"):
        Endpoint(BASE, timeout=seconds)
    with pytest.raises(ValueError, match="time-outs"):
        Endpoint(BASE, connect_timeout=seconds)


@pytest.mark.parametrize(
    ("host", "here"),
    [
        ("LOCALHOST", True),
        ("127.0.0.2", True),
        ("::1", True),
        ("::", False),
        ("10.0.0.1", False),
        ("", False),
    ],
)
def test_loopback(host: str, here: bool):
    assert is_loopback(host) is here


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (BASE, "iam.example.com:443"),
        ("http://[::1]/", "[::1]:80"),
        ("http://127.0.0.1:5000", "127.0.0.1:5000"),
    ],
)
def test_the_place_as_people_see_it(url: str, shown: str):
    assert host_and_port(url) == shown


@pytest.mark.parametrize(
    "link",
    [
        f"{BASE}/users/u/projects?marker=a%2Fb",
        "http://inner-keystone:5000/identity/v3/users/u/projects?marker=a%2Fb",
        "/identity/v3/users/u/projects?marker=a%2Fb",
        f"{BASE}/users/u/projects?marker=a%2Fb#part",
    ],
)
def test_a_link_gives_path_and_query_on_our_own_origin(link: str):
    assert next_url(BASE, link) == f"{BASE}/users/u/projects?marker=a%2Fb"


@pytest.mark.parametrize(
    "link",
    [
        "",
        "?marker=1",
        "https://iam.example.com/other/users",
        "https://iam.example.com/identity/v3",
        "https://iam.example.com/identity/v33/users",
        f"{BASE}/../../other",
        f"{BASE}/%2e%2e/other",
        f"{BASE}\\..\\other",
        f"{BASE}/us ers",
        "javascript:/identity/v3/users",
        "https://[/identity/v3/users",
    ],
)
def test_a_link_that_leads_out_is_not_followed(link: str):
    assert next_url(BASE, link) is None


@given(st.text() | st.text().map(lambda tail: f"{BASE}/{tail}"))
def test_whatever_the_link_says_the_origin_is_ours(link: str):
    following = next_url(BASE, link)
    assert following is None or following.startswith(f"{BASE}/")
    url_problem(IAM, link, insecure=False)
