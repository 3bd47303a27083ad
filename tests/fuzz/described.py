"""Requests that Schemathesis makes from /openapi.json, sent as bytes to the standing broker, and judged by that document."""

import json
from http.client import responses
from importlib import resources
from typing import Any, TypeAlias

import requests
import schemathesis
from hypothesis import strategies as st
from schemathesis import APIOperation, Case, GenerationMode, Response
from schemathesis.core.result import Ok

from tests.fuzz.standing import Standing
from tests.fuzz.wire import answers

DOCUMENT: dict[str, Any] = json.loads(resources.files("broker.serving").joinpath("openapi.json").read_bytes())
# What HTTP itself asks of every answer, and what stands for the body's form.
_OF_HTTP = {"server", "date", "content-type", "content-length", "connection"}

Operation: TypeAlias = APIOperation[Any, Any, Any, Any]
Made: TypeAlias = Case[Any]


def operations() -> list[Operation]:
    """Every path of the document with each of its methods."""
    schema = schemathesis.openapi.from_dict(DOCUMENT)
    # A token that lives as long as asked for is not always to be had, which the document says, too.
    schema.config.checks.update(excluded_check_names=["not_a_server_error"])
    found = [each.ok() for each in schema.get_all_operations() if isinstance(each, Ok)]
    assert len(found) == len(DOCUMENT["paths"]), "an operation is described wrongly"
    return found


def cases(operation: Operation, mode: GenerationMode) -> st.SearchStrategy[Made]:
    """Requests of any identity, and of the one that there is: few would guess its name."""
    named = {"name": "default"} if "{name}" in operation.path else None
    anybody, somebody = operation.as_strategy(mode), operation.as_strategy(mode, path_parameters=named)
    return somebody | anybody


def ask(broker: Standing, door: str, case: Made) -> Response:
    """Send it as it is, with what every honest client sends beside."""
    sent = requests.Request(**case.as_transport_kwargs(base_url="http://localhost")).prepare()
    if door == "tcp":
        sent.headers.setdefault("Metadata", "true")
    body = sent.body.encode() if isinstance(sent.body, str) else sent.body or b""
    assert isinstance(body, bytes)
    lines = [f"{case.method} {sent.path_url} HTTP/1.1", "Host: localhost", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in sent.headers.items() if isinstance(value, str)]
    heard = broker.ask(door, ["\r\n".join([*lines, "", ""]).encode("latin-1") + body])
    (answer,) = answers(heard.answer, cut=False, heads=case.method == "HEAD")
    fields = {name: [value] for name, value in answer.fields.items()}
    return Response(
        answer.status,
        fields,
        answer.body,
        sent,
        heard.seconds,
        verify=False,
        message=responses[answer.status],
    )


def in_order(case: Made, response: Response) -> None:
    """As the document says: status, form, body and headers, and no header that it does not name."""
    case.validate_response(response)
    assert response.status_code not in {500, 501}
    operation = DOCUMENT["paths"][case.operation.path][case.operation.method]
    described = _resolved(operation["responses"][str(response.status_code)])
    named = {name.lower() for name in described.get("headers", {})}
    assert set(response.headers) <= named | _OF_HTTP, set(response.headers) - named


def _resolved(node: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in node:
        found: Any = DOCUMENT
        for part in node["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        node = found
    return node
