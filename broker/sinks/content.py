"""The bytes of a token file; blocks where there is a template, on its disk and for as long as it takes to fill it in."""

import json

from broker.core.model import Token
from broker.sinks import template
from broker.sinks.forms import FORMS, facts
from broker.sinks.token_file import SinkError, TokenFile

LARGEST = 1024 * 1024  # bytes: a program that reads it is not to be swamped


def content(file: TokenFile, token: Token) -> bytes:
    """What the file holds with this token. Raises SinkError."""
    if file.template is None:
        made = FORMS[file.form](file, token)
    else:
        value = token.value.reveal()
        values = {"token": value, **facts(file, token), **_around(file, token)}
        made = template.filled(file, values, value, LARGEST)
    content = made.encode(errors="surrogatepass")
    if not content:
        raise SinkError(
            f"the template {file.template} of {file.path} comes to nothing; write the file that it is for"
        )
    if len(content) > LARGEST:
        raise SinkError(f"{file.path} would be larger than {LARGEST // 1024} KiB; shorten its template")
    return content


def _around(file: TokenFile, token: Token) -> dict[str, object]:
    return {"auth_url": file.auth_url, "catalog": json.loads(token.body)["token"].get("catalog", [])}
