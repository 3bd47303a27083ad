"""The token and what is known of it, for callers who may have them.

Permission is asked before any name is looked up: a name that does not exist and one that is not granted answer alike.
"""

from aiohttp import web

from broker.core import lease
from broker.core.access import Workload
from broker.core.errors import Code, Refusal
from broker.serving import answers, prefer
from broker.serving.context import CLOCK, KEYRING, POLICY
from broker.serving.gates import workload

DEFAULT_IDENTITY = "default"
_NO_STORE = {"Cache-Control": "no-store"}


async def default_token(request: web.Request) -> web.Response:
    """`GET /v1/token`: the caller's only identity, or the one named default."""
    caller = workload(request)
    readable = [name for name in request.app[KEYRING] if request.app[POLICY].may_read(caller, name)]
    if DEFAULT_IDENTITY in readable:
        return await _token(request, DEFAULT_IDENTITY)
    if len(readable) == 1:
        return await _token(request, readable[0])
    if not readable:
        raise _denied(caller)
    raise Refusal(
        Code.IDENTITY_REQUIRED,
        f"you may read {', '.join(readable)}; ask for one: /v1/identities/{readable[0]}/token",
    )


async def named_token(request: web.Request) -> web.Response:
    """`GET /v1/identities/{name}/token`."""
    return await _token(request, _readable(request))


async def identities(request: web.Request) -> web.Response:
    """`GET /v1/identities`: those that the caller may see."""
    caller = workload(request)
    names = [name for name in request.app[KEYRING] if request.app[POLICY].may_read(caller, name)]
    return _json({"identities": [_state(request, name) for name in names]})


async def identity(request: web.Request) -> web.Response:
    """`GET /v1/identities/{name}`."""
    return _json(_state(request, _readable(request)))


def _readable(request: web.Request) -> str:
    """The identity named in the path, if it is there and the caller may have it."""
    caller, name = workload(request), request.match_info["name"]
    if not request.app[POLICY].may_read(caller, name) or name not in request.app[KEYRING]:
        raise _denied(caller)
    return name


def _denied(caller: Workload) -> Refusal:
    return Refusal(
        Code.ACCESS_DENIED,
        f"uid {caller.uid} may not read this identity; call as the broker's own user or as root",
    )


async def _token(request: web.Request, name: str) -> web.Response:
    text = _wants_text(request)
    clock, keeper = request.app[CLOCK], request.app[KEYRING][name]
    asked = prefer.wait(request.headers.getall("Prefer", []))
    held = await keeper.token(clock.now() + (prefer.DEFAULT if asked is None else asked))
    now = clock.now()
    headers = _NO_STORE | {"Vary": "Accept"}
    if asked is not None:
        headers["Preference-Applied"] = f"wait={asked:.0f}"
    if text:
        return web.Response(text=held.token.value.reveal(), content_type="text/plain", headers=headers)
    return _json(answers.token(name, held, now, stale=lease.stale(keeper.lease, now)), headers)


def _wants_text(request: web.Request) -> bool:
    form = request.query.get("format")
    if form is None:
        return _first_type(request.headers.get("Accept", "")) == "text/plain"
    if form not in {"text", "json"}:
        raise Refusal(Code.BAD_REQUEST, "format is text or json")
    return form == "text"


def _first_type(accept: str) -> str:
    return accept.partition(",")[0].partition(";")[0].strip().lower()


def _state(request: web.Request, name: str) -> answers.Json:
    clock, keeper = request.app[CLOCK], request.app[KEYRING][name]
    keeper.observe()
    return answers.identity(keeper.lease, keeper.key.label, clock.now(), clock.wall())


def _json(body: answers.Json, headers: dict[str, str] = _NO_STORE) -> web.Response:
    return web.json_response(body, headers=headers)
