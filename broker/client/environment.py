"""The environment in which a program finds the broker where it would look for its keys; pure. INTERFACE section 7.

- Whatever chooses a login goes, so that no real key reaches the program and none of another login is mixed in. For `OS_*`
  that are the options of keystoneauth's plugins, which openstacksdk reads under any such name, and what gophercloud reads.
  What says how to talk stays: region, interface, versions of APIs, endpoints of services, certificates.
  A profile goes: openstacksdk takes the address of IAM from it rather than from `OS_AUTH_URL`.
- No AWS variable goes unless S3 is asked for. Then the files of keys go too, which AWS clients would read before: their
  own, and that of their predecessor, boto.
- Proxies are told to leave this host alone. What is there stays: variables are added to, not written over.
"""

from __future__ import annotations

from broker.client.address import VARIABLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from broker.client.facade import Facade

PLACEHOLDER = "placeholder"  # clients want something there; the broker proves who calls by the kernel
_LOCAL = ("127.0.0.1", "localhost", "::1")
# Behind `OS_`: what it may begin with, and what it may be.
_LOGIN = (
    "APPLICATION_CREDENTIAL", "AUTH", "DEFAULT_DOMAIN", "DEVICE_AUTHORIZATION", "DISCOVERY", "DOMAIN", "IDENTITY_PROVIDER",
    "IDP_", "OAUTH2", "OPENID", "PROJECT", "REDIRECT", "SYSTEM_SCOPE", "TENANT", "TRUST", "USER",
)  # fmt: skip
_LOGINS = {
    "CLIENT_ID", "CLOUD", "CLOUD_NAME", "CODE", "CODE_CHALLENGE_METHOD", "ENDPOINT", "LOGIN_TIMEOUT", "PROFILE", "PROTOCOL",
    "SWAUTH", "URL",
}  # fmt: skip
# Whatever it is for, its name says what it holds.
_SECRET = ("ACCESS_KEY", "CREDENTIAL", "PASSCODE", "PASSWORD", "SECRET", "TOKEN")
_AWS = {
    "AWS_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SECRET_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN",
    "AWS_CREDENTIAL_EXPIRATION", "AWS_CREDENTIAL_FILE", "AWS_DEFAULT_PROFILE", "AWS_PROFILE", "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
}  # fmt: skip


def environment(
    environ: Mapping[str, str],
    facade: Facade,
    broker: str,
    *,
    secret: str | None = None,
    token: str | None = None,
    s3: bool = False,
) -> dict[str, str]:
    """That of a program that shall use the facade; `broker` is for KAKAOCLOUD_BROKER_URL, `secret` the client secret."""
    shown = PLACEHOLDER if secret is None else secret
    made = {name: text for name, text in environ.items() if not _is_login(name)}
    made |= {
        VARIABLE: broker,
        "OS_AUTH_TYPE": "v3applicationcredential",
        "OS_AUTH_URL": facade.url,
        "OS_APPLICATION_CREDENTIAL_ID": facade.identity,
        "OS_APPLICATION_CREDENTIAL_SECRET": shown,
        "KAKAOCLOUD_APPLICATION_CREDENTIAL_ID": facade.identity,
        "KAKAOCLOUD_APPLICATION_CREDENTIAL_SECRET": shown,
    }
    if token is not None:
        # openstacksdk fails where it finds a token and is to use anything else.
        made |= {"OS_TOKEN": token, "OS_AUTH_TYPE": "v3token"}
    if s3:
        made = {name: text for name, text in made.items() if not _is_aws_login(name)}
        made |= {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": facade.s3_credentials,
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": PLACEHOLDER,
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
            "BOTO_CONFIG": "/dev/null",
        }
    return made | _no_proxy(environ, facade)


def _is_login(name: str) -> bool:
    """Whether it holds a key, or would have a client log in another way."""
    if name.startswith("OS_"):
        rest = name[3:]
        return rest.startswith(_LOGIN) or rest in _LOGINS or _is_secret(rest)
    return name.startswith("KAKAOCLOUD_") and not name.startswith("KAKAOCLOUD_BROKER_") and _is_secret(name)


def _is_aws_login(name: str) -> bool:
    return name in _AWS or name.startswith("AWS_BEARER_TOKEN_")


def _is_secret(name: str) -> bool:
    return any(word in name for word in _SECRET)


def _no_proxy(environ: Mapping[str, str], facade: Facade) -> dict[str, str]:
    """Both spellings, since clients read either; one that is not set begins as the other."""
    host = facade.server.removeprefix("http://").rpartition(":")[0].strip("[]")
    made = {}
    for name, other in (("no_proxy", "NO_PROXY"), ("NO_PROXY", "no_proxy")):
        text = environ.get(name, environ.get(other, ""))
        there = [word.strip() for word in text.split(",")]
        missing = [word for word in dict.fromkeys((*_LOCAL, host)) if word not in there]
        # A lone star means every host, and would mean nothing beside other words.
        made[name] = text if there == ["*"] else ",".join([text, *missing] if text else missing)
    return made
