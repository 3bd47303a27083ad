"""What stands in a token file, by the words of the settings; never an access key.

A file stands for hours, so that it says when its token ends, and not in how many seconds that is.
"""

import json
from collections.abc import Callable, Mapping

from broker.core.model import Named, Token
from broker.core.shell import quoted
from broker.sinks.openstack import clouds, openrc
from broker.sinks.token_file import TokenFile

Form = Callable[[TokenFile, Token], str]


def _text(file: TokenFile, token: Token) -> str:
    """The token and nothing else, not even the end of a line: many programs take a file as it is."""
    del file
    return token.value.reveal()


def _json(file: TokenFile, token: Token) -> str:
    return json.dumps({"token": token.value.reveal(), **facts(file, token)}) + "\n"


def _env(file: TokenFile, token: Token) -> str:
    del file
    return f"export OS_TOKEN={quoted(token.value.reveal())}\n"


def _header(file: TokenFile, token: Token) -> str:
    """For `curl -H @FILE`."""
    del file
    return f"X-Auth-Token: {token.value.reveal()}\n"


FORMS: Mapping[str, Form] = {
    "text": _text,
    "json": _json,
    "env": _env,
    "header": _header,
    "openrc": openrc,
    "clouds.yaml": clouds,
}


def facts(file: TokenFile, token: Token) -> dict[str, object]:
    """What may be told of a token beside itself, as `GET /v1/token` has it."""
    return {
        "identity": file.identity,
        "issued_at": token.issued_at,
        "expires_at": token.expires_at,
        "project": _named(token.project),
        "user": _named(token.user),
        "roles": [role.name for role in token.roles],
        "key_expires_at": token.key_expires_at,
    }


def _named(thing: Named) -> dict[str, str]:
    return {"id": thing.id, "name": thing.name}
