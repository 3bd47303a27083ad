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
    Code.CALLER_UNKNOWN: 403,
    Code.NOT_FOUND: 404,
    Code.METHOD_NOT_ALLOWED: 405,
    Code.TOO_LARGE: 413,
    Code.INTERNAL: 500,
    Code.NOT_READY: 503,
    Code.IAM_UNAVAILABLE: 503,
    Code.IAM_THROTTLED: 503,
    Code.KEY_REJECTED: 503,
}

# What the library itself refuses, in our words.
_LIBRARY = {
    400: Refusal(Code.BAD_REQUEST, "the request is not understood"),
    404: Refusal(Code.NOT_FOUND, "there is nothing at this path; see /v1/identities"),
    405: Refusal(Code.METHOD_NOT_ALLOWED, "this path does not know that method"),
    413: Refusal(Code.TOO_LARGE, "the request is too large"),
}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def response(refusal: Refusal) -> web.Response:
    """A refusal as its sender sees it."""
    status = STATUS[refusal.code]
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


@web.middleware
async def refusals(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every way in which a request can fail, as a problem."""
    try:
        return await handler(request)
    except Refusal as refusal:
        return response(refusal)
    except web.HTTPException as error:
        answer = response(_LIBRARY.get(error.status, Refusal(Code.INTERNAL, "the broker could not answer")))
        if "Allow" in error.headers:
            answer.headers["Allow"] = error.headers["Allow"]
        return answer
    except Exception:  # noqa: BLE001
        # A defect must not show its insides to a stranger; the operator finds them in the log.
        _log.exception("request_defect", route=request.path)
        return response(Refusal(Code.INTERNAL, "a defect in the broker; its log says more"))
