"""How Keystone says things: its errors, its documents of versions, a token's body without the catalog."""

import json
from http import HTTPStatus

from aiohttp import web

from broker.core.errors import Code, Refusal
from broker.serving.headers import NO_STORE
from broker.serving.problem import STATUS, seconds

# Where clients look for the way to log in.
_CHALLENGE = 'Keystone uri="/identity/v3"'
# The version of Keystone's API whose answers these are; clients choose by it, and the tests' Keystone calls itself so.
_VERSION = "v3.14"
_UPDATED = "2020-04-07T00:00:00Z"
_TYPE = "application/vnd.openstack.identity-v3+json"


def refused(refusal: Refusal) -> web.Response:
    """A refusal as Keystone words one."""
    status = STATUS[refusal.code]
    body = {"error": {"code": status, "message": refusal.detail, "title": HTTPStatus(status).phrase}}
    headers = dict(NO_STORE)
    if (pause := seconds(refusal)) is not None:
        headers["Retry-After"] = str(pause)
    if refusal.code is Code.UNAUTHORIZED:
        headers["WWW-Authenticate"] = _CHALLENGE
    return web.json_response(body, status=status, headers=headers)


def without_catalog(body: bytes) -> bytes:
    """IAM's answer to who asked for `?nocatalog`."""
    tree = json.loads(body)
    tree["token"].pop("catalog", None)
    return json.dumps(tree).encode()


def version(request: web.Request, prefix: str) -> dict[str, object]:
    """The one version that there is, at the address by which the client calls us."""
    link = {"rel": "self", "href": f"http://{request.host}{prefix}/"}
    media = [{"base": "application/json", "type": _TYPE}]
    return {"id": _VERSION, "status": "stable", "updated": _UPDATED, "links": [link], "media-types": media}
