"""The one table from refusals to HTTP, as application/problem+json (RFC 9457).

Causes stay inside: what a stranger reads is the code, one sentence with the remedy, and when to come back.
"""

import json
import math
from collections.abc import Awaitable, Callable

import structlog
from aiohttp import web

from broker.core.errors import Code, Refusal

_log = structlog.get_logger()

STATUS = {
    Code.BAD_REQUEST: 400,
    Code.IDENTITY_REQUIRED: 400,
    Code.ACCESS_DENIED: 403,
    Code.METADATA_HEADER_MISSING: 403,
    Code.HOST_NOT_ALLOWED: 403,
    Code.FORWARDED_REQUEST: 403,
    Code.BROWSER_REQUEST: 403,
    Code.CALLER_UNKNOWN: 403,
    Code.NOT_FOUND: 404,
    Code.METHOD_NOT_ALLOWED: 405,
    Code.TIMEOUT: 408,
    Code.TOO_LARGE: 413,
    Code.INTERNAL: 500,
    Code.NOT_READY: 503,
    Code.IAM_UNAVAILABLE: 503,
    Code.IAM_THROTTLED: 503,
    Code.KEY_REJECTED: 503,
    Code.MIN_TTL_UNAVAILABLE: 503,
}

# What the library itself refuses, in our words.
_LIBRARY = {
    400: Refusal(Code.BAD_REQUEST, "the request is not understood"),
    404: Refusal(Code.NOT_FOUND, "there is nothing at this path; see /v1/identities"),
    405: Refusal(Code.METHOD_NOT_ALLOWED, "this path does not know that method"),
    408: Refusal(Code.TIMEOUT, "the request took too long to arrive"),
    413: Refusal(Code.TOO_LARGE, "the request is too large"),
}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def response(refusal: Refusal, status: int | None = None) -> web.Response:
    """A refusal as its sender sees it; `status` where the code alone does not say it."""
    status = status or STATUS[refusal.code]
    body: dict[str, object] = {
        "type": "about:blank",
        "title": refusal.code.value.replace("_", " "),
        "status": status,
        "code": refusal.code.value,
        "detail": refusal.detail,
    }
    headers = {"Cache-Control": "no-store"}
    if refusal.retry_after is not None:
        seconds = max(1, math.ceil(refusal.retry_after))
        body["retry_after"] = seconds
        headers["Retry-After"] = str(seconds)
    return web.Response(
        status=status,
        body=json.dumps(body).encode(),
        content_type="application/problem+json",
        headers=headers,
    )


def answered(error: Exception, path: str) -> web.Response:
    """What the library refuses, or a defect: whose insides the operator finds in the log and no stranger sees."""
    if isinstance(error, web.HTTPException) and error.status in _LIBRARY:
        answer = response(_LIBRARY[error.status])
        if "Allow" in error.headers:
            answer.headers["Allow"] = error.headers["Allow"]
        return answer
    _log.error("request_defect", route=path, exc_info=error)
    return response(Refusal(Code.INTERNAL, "a defect in the broker; its log says more"))
