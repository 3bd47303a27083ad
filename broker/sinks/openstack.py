"""The two forms for OpenStack's own tools: a file for a shell, and a clouds.yaml.

- They use a token as it is, with the address of each service: Keystone trades no token of an access key for another one
  (403, "delegated token"), which is what `v3token` and `token` would have it do. keystoneauth calls this `admin_token`.
- So the addresses of the catalog stand beside the token: for each service its first public one.
"""

import json
import re
from collections.abc import Iterator

from broker.core.model import Token
from broker.core.shell import quoted
from broker.sinks.token_file import TokenFile

_TYPE = re.compile(r"[a-z][a-z0-9_-]{0,62}")


def openrc(file: TokenFile, token: Token) -> str:
    """For `. FILE` in a shell."""
    variables = {
        "OS_AUTH_TYPE": "admin_token",
        "OS_ENDPOINT": file.auth_url,
        "OS_TOKEN": token.value.reveal(),
        "OS_IDENTITY_API_VERSION": "3",
        **{f"OS_{name.upper()}_ENDPOINT_OVERRIDE": url for name, url in _services(token)},
    }
    # A cloud that is chosen there would win.
    lines = ["unset OS_CLOUD", *(f"export {name}={quoted(text)}" for name, text in variables.items())]
    return "\n".join(lines) + "\n"


def clouds(file: TokenFile, token: Token) -> str:
    """One cloud, called like the identity."""
    # A text of JSON is one of YAML too.
    scalar = json.dumps
    lines = [
        "clouds:",
        f"  {scalar(file.identity)}:",
        "    auth_type: admin_token",
        "    auth:",
        f"      endpoint: {scalar(file.auth_url)}",
        f"      token: {scalar(token.value.reveal())}",
        '    identity_api_version: "3"',
        *(f"    {name}_endpoint_override: {scalar(url)}" for name, url in _services(token)),
    ]
    return "\n".join(lines) + "\n"


def _services(token: Token) -> Iterator[tuple[str, str]]:
    """Each service of the catalog but Keystone itself, with its first public address."""
    told = json.loads(token.body)["token"].get("catalog", [])
    seen: set[str] = set()
    for service in told if isinstance(told, list) else []:
        kind = service.get("type")
        if not isinstance(kind, str) or not _TYPE.fullmatch(kind) or kind == "identity":
            continue
        name = kind.replace("-", "_")
        for endpoint in service.get("endpoints", []):
            url = endpoint.get("url")
            if name not in seen and endpoint.get("interface") == "public" and isinstance(url, str):
                seen.add(name)
                yield name, url
