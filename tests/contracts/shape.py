"""The shape of an answer: which values it has and of what kind, without the values themselves."""

import re
from collections.abc import Mapping
from typing import Any

# A time with its Z and one without are two kinds: clients parse them.
KINDS = (
    ("time ending in Z", re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")),
    ("time without offset", re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}")),
    ("address", re.compile(r"https?://.+")),
)
# What a server adds of its own accord, and which a client does not read.
OF_THE_SERVER = {"connection", "content-length", "date", "server", "transfer-encoding"}


def shape(value: Any, path: str = "$") -> set[str]:  # noqa: ANN401 - JSON of any shape
    """One line for each path, `$.token.roles[].id: text`; a list is what its first element is."""
    match value:
        case dict():
            lines = {f"{path}: object"}
            for name, inner in value.items():
                lines |= shape(inner, f"{path}.{name}")
            return lines
        case list():
            lines = {f"{path}: list"}
            return lines | shape(value[0], f"{path}[]") if value else lines
        case str():
            kind = next((kind for kind, form in KINDS if form.fullmatch(value)), "text")
            return {f"{path}: {kind}"}
        case bool() | None:
            return {f"{path}: {json_name(value)}"}
        case _:
            return {f"{path}: number"}


def json_name(value: bool | None) -> str:
    """Whether true or false is a value; that it is a boolean is the kind."""
    return "null" if value is None else "boolean"


def headers(sent: Mapping[str, str]) -> set[str]:
    """The names of the headers that IAM itself sends."""
    return {name.lower() for name in sent} - OF_THE_SERVER
