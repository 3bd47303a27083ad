"""The one table from refusals to HTTP, as application/problem+json (RFC 9457).

Causes stay inside: what a stranger reads is the code, one sentence with the remedy, and when to come back.
"""

import json
import math
from collections.abc import Awaitable, Callable

import structlog
from aiohttp import web

from broker.core.errors import Code, Refusal
from broker.serving.headers import NO_STORE

_log = structlog.get_logger()

STATUS = {
    Code.BAD_REQUEST: 400,
    Code.IDENTITY_REQUIRED: 400,
    Code.UNAUTHORIZED: 401,
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
    417: Refusal(Code.BAD_REQUEST, "of what `Expect` can ask for, only 100-continue is known"),
}

_TYPE = "application/problem+json"
# The library would name its version and Python's, which is a stranger's first question.
SERVER = "kakaocloud-broker"

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def response(refusal: Refusal, status: int | None = None) -> web.Response:
    """A refusal as its sender sees it; `status` where the code alone does not say it."""
    status = status or STATUS[refusal.code]
    headers = dict(NO_STORE)
    if (pause := seconds(refusal)) is not None:
        headers["Retry-After"] = str(pause)
    return web.Response(status=status, body=_body(refusal, status), content_type=_TYPE, headers=headers)


def seconds(refusal: Refusal) -> int | None:
    """Whole seconds after which to come back; None where that is not known."""
    pause = refusal.retry_after
    # A wait without end, as where no key is left to ask with, is no time to come back.
    return max(1, math.ceil(pause)) if pause is not None and math.isfinite(pause) else None


def _body(refusal: Refusal, status: int) -> bytes:
    body: dict[str, object] = {
        "type": "about:blank",
        "title": refusal.code.value.replace("_", " "),
        "status": int(status),
        "code": refusal.code.value,
        "detail": refusal.detail,
    }
    if (pause := seconds(refusal)) is not None:
        body["retry_after"] = pause
    return json.dumps(body).encode()


def known(error: Exception) -> Refusal | None:
    """The refusal that this is, in our words where the library refuses; None for a defect."""
    if isinstance(error, Refusal):
        return error
    return _LIBRARY.get(error.status) if isinstance(error, web.HTTPException) else None


def answered(
    error: Exception, route: str, shape: Callable[[Refusal], web.Response] = response
) -> web.Response:
    """A refusal in this shape, or a defect: whose insides the operator finds in the log and no stranger sees."""
    refusal = known(error)
    if refusal is None:
        _log.error("request_defect", route=route, exc_info=error)
        refusal = Refusal(Code.INTERNAL, "a defect in the broker; its log says more")
    answer = shape(refusal)
    if isinstance(error, web.HTTPException) and "Allow" in error.headers:
        answer.headers["Allow"] = error.headers["Allow"]
    return answer
