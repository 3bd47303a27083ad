"""The environment of a program that finds the broker by the variables it knows: no real key in it, and no other login."""

import pytest

from broker.client.environment import PLACEHOLDER, environment
from broker.client.facade import Facade

KEY = "real-key"
FACADE = Facade("shop", "http://127.0.0.1:9780", client_secret=False)
BROKER = "unix:///run/b.sock"
# What real hosts have: openrc files of every kind, KakaoCloud's examples, and the AWS SDKs' ways to log in.
OPENSTACK = """
    OS_APPLICATION_CREDENTIAL_ID OS_APPLICATION_CREDENTIAL_NAME OS_APPLICATION_CREDENTIAL_SECRET OS_AUTH_PLUGIN OS_AUTH_STRATEGY
    OS_AUTH_TOKEN OS_AUTH_TYPE OS_AUTH_URL OS_CLOUD OS_CLOUD_NAME OS_DEFAULT_DOMAIN OS_DOMAIN_ID OS_DOMAIN_NAME OS_ENDPOINT OS_PASSCODE
    OS_PASSWORD OS_PROFILE OS_PROJECT_DOMAIN_ID OS_PROJECT_DOMAIN_NAME OS_PROJECT_ID OS_PROJECT_NAME OS_SERVICE_TOKEN OS_SWAUTH
    OS_SYSTEM_SCOPE OS_TENANT_ID OS_TENANT_NAME OS_TOKEN OS_TRUST_ID OS_URL OS_USERID OS_USERNAME OS_USER_DOMAIN_ID
    OS_USER_DOMAIN_NAME OS_USER_ID KAKAOCLOUD_APPLICATION_CREDENTIAL_ID KAKAOCLOUD_APPLICATION_CREDENTIAL_NAME
    KAKAOCLOUD_APPLICATION_CREDENTIAL_SECRET KAKAOCLOUD_ACCESS_KEY KAKAOCLOUD_TOKEN KAKAOCLOUD_USER_PASSWORD
""".split()  # noqa: SIM905
AWS = """
    AWS_ACCESS_KEY AWS_ACCESS_KEY_ID AWS_BEARER_TOKEN_BEDROCK AWS_CONTAINER_AUTHORIZATION_TOKEN AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE
    AWS_CONTAINER_CREDENTIALS_FULL_URI AWS_CONTAINER_CREDENTIALS_RELATIVE_URI AWS_DEFAULT_PROFILE AWS_PROFILE AWS_ROLE_ARN
    AWS_ROLE_SESSION_NAME AWS_SECRET_ACCESS_KEY AWS_SECRET_KEY AWS_SECURITY_TOKEN AWS_SESSION_TOKEN
    AWS_SHARED_CREDENTIALS_FILE AWS_WEB_IDENTITY_TOKEN_FILE BOTO_CONFIG
""".split()  # noqa: SIM905
KEPT = """
    AWS_CA_BUNDLE AWS_CONFIG_FILE AWS_DEFAULT_REGION AWS_ENDPOINT_URL_S3 AWS_REGION HOME KAKAOCLOUD_BROKER_CONFIG
    KAKAOCLOUD_REGION LANG OS_CACERT OS_CERT OS_CLIENT_CONFIG_FILE OS_COMPUTE_API_VERSION OS_ENDPOINT_TYPE
    OS_IDENTITY_API_VERSION OS_IMAGE_ENDPOINT_OVERRIDE OS_INSECURE OS_INTERFACE OS_REGION_NAME PATH
""".split()  # noqa: SIM905
HOSTILE = dict.fromkeys([*OPENSTACK, *AWS], KEY) | {name: name.lower() for name in KEPT}


def test_no_real_key_is_in_it():
    """Rule: whatever was there of KakaoCloud's and OpenStack's logins; of AWS where S3 is asked for."""
    assert KEY not in environment(HOSTILE, FACADE, BROKER, s3=True).values()
    plain = environment(HOSTILE, FACADE, BROKER)
    assert {name for name, text in plain.items() if text == KEY} == {*AWS}


def test_what_says_how_to_talk_stays():
    made = environment(HOSTILE, FACADE, BROKER, s3=True)
    assert {name: made.get(name) for name in KEPT} == {name: name.lower() for name in KEPT}


def test_the_facade_is_what_clients_find():
    made = environment({"A": "1"}, FACADE, BROKER)
    assert made == {
        "A": "1",
        "KAKAOCLOUD_BROKER_URL": BROKER,
        "OS_AUTH_TYPE": "v3applicationcredential",
        "OS_AUTH_URL": "http://127.0.0.1:9780/identity/v3",
        "OS_APPLICATION_CREDENTIAL_ID": "shop",
        "OS_APPLICATION_CREDENTIAL_SECRET": PLACEHOLDER,
        "KAKAOCLOUD_APPLICATION_CREDENTIAL_ID": "shop",
        "KAKAOCLOUD_APPLICATION_CREDENTIAL_SECRET": PLACEHOLDER,
        "NO_PROXY": "127.0.0.1,localhost,::1",
        "no_proxy": "127.0.0.1,localhost,::1",
    }


def test_the_client_secret_and_the_token_where_they_are_asked_for():
    made = environment({}, FACADE, BROKER, secret="the client secret", token="t")
    assert made["OS_APPLICATION_CREDENTIAL_SECRET"] == "the client secret"
    assert made["KAKAOCLOUD_APPLICATION_CREDENTIAL_SECRET"] == "the client secret"
    assert (made["OS_TOKEN"], made["OS_AUTH_TYPE"]) == ("t", "v3token")
    assert "OS_TOKEN" not in environment({"OS_TOKEN": KEY}, FACADE, BROKER)


def test_aws_clients_find_the_endpoint_and_no_file_of_keys():
    made = environment({}, FACADE, BROKER, s3=True)
    assert made["AWS_CONTAINER_CREDENTIALS_FULL_URI"] == (
        "http://127.0.0.1:9780/v1/identities/shop/s3-credentials"
    )
    assert made["AWS_CONTAINER_AUTHORIZATION_TOKEN"] == PLACEHOLDER
    assert made["AWS_SHARED_CREDENTIALS_FILE"] == made["BOTO_CONFIG"] == "/dev/null"
    assert not any(name.startswith(("AWS_", "BOTO_")) for name in environment({}, FACADE, BROKER))


@pytest.mark.parametrize(
    ("there", "made"),
    [
        ({}, ("127.0.0.1,localhost,::1",) * 2),
        ({"NO_PROXY": "a.example"}, ("a.example,127.0.0.1,localhost,::1",) * 2),
        ({"no_proxy": "b", "NO_PROXY": "a"}, ("b,127.0.0.1,localhost,::1", "a,127.0.0.1,localhost,::1")),
        ({"no_proxy": "", "NO_PROXY": "a"}, ("127.0.0.1,localhost,::1", "a,127.0.0.1,localhost,::1")),
        ({"no_proxy": "localhost, ::1 ,127.0.0.1"}, ("localhost, ::1 ,127.0.0.1",) * 2),
        ({"no_proxy": "*"}, ("*",) * 2),
    ],
)
def test_proxies_leave_this_host_alone(there: dict[str, str], made: tuple[str, str]):
    """Rule: what is there stays; both spellings are set, since clients read either."""
    found = environment(there, FACADE, BROKER)
    assert (found["no_proxy"], found["NO_PROXY"]) == made


def test_another_address_of_loopback_is_left_alone_too():
    found = environment({}, Facade("a", "http://127.0.0.2:9780", client_secret=False), BROKER)
    assert found["NO_PROXY"] == "127.0.0.1,localhost,::1,127.0.0.2"
