"""What the emulator is about to send, as a value that faults can bend before it leaves."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

_TITLES: Final = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    413: "Request Entity Too Large",
    429: "Too Many Requests",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, headers and a body: a JSON tree, or else `text` of `content_type`; neither means no body."""

    status: int
    tree: dict[str, Any] | None = None
    text: str | None = None
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: bool = False
    """Send half of the body under the full Content-Length, then close."""
    chunked: bool = False
    """Send without a Content-Length, so that the client has to count for itself."""

    def payload(self) -> bytes:
        """The body's bytes."""
        if self.tree is not None:
            return json.dumps(self.tree).encode()
        return (self.text or "").encode()


def title(status: int) -> str:
    """The words that go with an HTTP status."""
    return _TITLES.get(status, "Error")


def keystone_error(status: int, message: str, headers: Mapping[str, str] | None = None) -> Answer:
    """An error in Keystone's shape."""
    error = {"code": status, "message": message, "title": title(status)}
    return Answer(status, {"error": error}, headers=headers or {})


def html_error(status: int, headers: Mapping[str, str] | None = None) -> Answer:
    """An error page, as Flask answers an unknown path and gateways answer their own troubles."""
    text = (
        f"<!doctype html>\n<html lang=en>\n<title>{status} {title(status)}</title>\n<h1>{title(status)}</h1>\n"
        "<p>The request could not be answered. If you entered the URL manually please check your spelling.</p>\n"
    )
    return Answer(status, text=text, content_type="text/html; charset=utf-8", headers=headers or {})
