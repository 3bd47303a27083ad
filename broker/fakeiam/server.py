"""The emulator over HTTP: one aiohttp application, served on loopback.

Every request to IAM takes the same way: read it, see which faults hit it, wait, answer instead of IAM or let
IAM answer and bend that, send, count, tell the observer. Only the control API is spared from faults.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Final

from aiohttp import web

from broker.fakeiam import api, control
from broker.fakeiam.answer import Answer
from broker.fakeiam.bending import bent, replacement, shifted
from broker.fakeiam.board import Board, Draw
from broker.fakeiam.claims import Exchange
from broker.fakeiam.counters import NO_ANSWER, Counters
from broker.fakeiam.faults import Drop, Operation, Redirect, Status
from broker.fakeiam.model import Claim, Key, RefusedError
from broker.fakeiam.realm import Realm, utc_now
from broker.fakeiam.state import State
from broker.fakeiam.storage import Trade
from broker.fakeiam.tokens import TWELVE_HOURS, Tokens
from broker.fakeiam.wire import reset, send

# Keystone's own limit for a request's body.
_BIGGEST_REQUEST: Final = 114_688
_ROUTES: Final[tuple[tuple[str, str, Operation, api.Handler], ...]] = (
    ("POST", "/identity/v3/auth/tokens", Operation.ISSUE, api.issue),
    ("GET", "/identity/v3/auth/tokens", Operation.VALIDATE, api.validate),
    ("DELETE", "/identity/v3/auth/tokens", Operation.REVOKE, api.revoke),
    ("GET", "/identity/v3/users/{user}/projects", Operation.PROJECTS, api.users_projects),
    ("GET", "/identity/v3/auth/projects", Operation.READ, api.own_projects),
    ("GET", "/identity/v3/auth/catalog", Operation.READ, api.catalog),
    ("GET", "/identity/v3/users/{user}/application_credentials/{key}", Operation.KEY, api.key),
    ("GET", "/identity", Operation.READ, api.versions),
    ("GET", "/identity/v3", Operation.READ, api.version),
    ("POST", "/s3/{region:[a-z0-9-]+}", Operation.S3, api.s3),
    ("*", "/identity/v3/auth/tokens", Operation.UNKNOWN, api.not_allowed),
)

# Below the server's address; a client's setting has a region in its place.
S3_PATH: Final = "/s3/{region}"

Observer = Callable[[str, str, int], None]
"""Told of each request: method, path (a pattern, or cut short), status (0: no answer)."""


class FakeIam:
    """One emulated IAM with a first user and a first key; everything may be changed while it is served.

    `life` is the tokens' life in seconds; S3 credentials are had at `S3_PATH` of the same server. `clock` and `sleep` are for tests. Random values are chosen where
    no `key_id` and `key_secret` are given.
    """

    def __init__(
        self,
        *,
        life: float = TWELVE_HOURS,
        clock: Callable[[], datetime] = utc_now,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        key_id: str | None = None,
        key_secret: str | None = None,
        observer: Observer | None = None,
    ) -> None:
        self.realm = Realm(clock)
        self.tokens = Tokens(self.realm, life=life)
        self.state = State(self.realm, self.tokens)
        self.user = self.realm.add_user("member", name="fake-user")
        self.key: Key = self.realm.add_key(self.user.id, key_id=key_id, secret=key_secret, name="fake-key")
        self._sleep = sleep
        self._observer = observer

    @property
    def faults(self) -> Board:
        """The faults in force."""
        return self.state.faults

    @property
    def counters(self) -> Counters:
        """What was asked and answered so far."""
        return self.state.counters

    @asynccontextmanager
    async def serve(self, port: int = 0, ssl_context: ssl.SSLContext | None = None) -> AsyncIterator[str]:
        """Serve on 127.0.0.1; yields the URL ending in `/identity/v3`. OSError when the port is taken."""
        app = web.Application(client_max_size=_BIGGEST_REQUEST)
        app.add_routes(control.routes(self.state))
        for method, path, operation, handler in _ROUTES:
            way = self._way(operation, handler)
            for spelling in (path, f"{path}/"):
                for verb in ("GET", "HEAD") if method == "GET" else (method,):
                    app.router.add_route(verb, spelling, way)
        app.router.add_route("*", "/{rest:.*}", self._way(Operation.UNKNOWN, api.unknown))
        # A client that hangs up must free the request that a fault holds.
        runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", port, ssl_context=ssl_context).start()
            yield f"{'https' if ssl_context else 'http'}://127.0.0.1:{runner.addresses[0][1]}/identity/v3"
        finally:
            self.faults.clear()
            await runner.cleanup()

    def _way(
        self, operation: Operation, handler: api.Handler
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def way(request: web.Request) -> web.StreamResponse:
            call = await self._read(request, operation)
            self.counters.arrived[call.operation] += 1
            status = NO_ANSWER
            try:
                draw = self.faults.draw(call.operation, api.key_id_of(self.state, call))
                answer = await self._answer(call, handler, draw)
                if answer is None:
                    return reset(request)
                status = answer.status
                return await send(request, answer, self._now() + timedelta(seconds=draw.date_skew))
            finally:
                self._ended(request, call, status)

        return way

    async def _read(self, request: web.Request, operation: Operation) -> api.Call:
        content_type = request.headers.get("Content-Type")
        claim: Claim | Exchange | Trade | RefusedError | None = None
        if operation is Operation.S3:
            try:
                claim = api.trade_of(await request.read(), content_type)
            except web.HTTPRequestEntityTooLarge:
                claim = RefusedError(400, "InvalidRequest")
        elif operation is Operation.ISSUE:
            try:
                claim = api.claim_of(self.state, await request.read(), content_type)
            except web.HTTPRequestEntityTooLarge:
                claim = RefusedError(413, "Request is too large.")
            operation = Operation.EXCHANGE if isinstance(claim, Exchange) else Operation.ISSUE
        return api.Call(
            method=request.method,
            path=request.path,
            base=f"{request.url.origin()}/identity",
            operation=operation,
            query=request.query,
            parts=request.match_info,
            auth=request.headers.get("X-Auth-Token"),
            subject=request.headers.get("X-Subject-Token"),
            content_type=content_type,
            claim=claim,
        )

    async def _answer(self, call: api.Call, handler: api.Handler, draw: Draw) -> Answer | None:
        """What to send; None to reset the connection."""
        if draw.delay:
            await self._sleep(draw.delay)
        if draw.instead is not None:
            effect = draw.instead.fault.effect
            if effect is Drop.RESET:
                return None
            if isinstance(effect, Status | Redirect):
                return replacement(effect, self._now() + timedelta(seconds=draw.date_skew), call.path)
            await draw.instead.lifted.wait()
        answer = shifted(api.respond(self.state, handler, call), draw.times_skew)
        for effect in draw.bends:
            answer = bent(answer, effect)
        return answer

    def _ended(self, request: web.Request, call: api.Call, status: int) -> None:
        self.counters.ended[call.operation, status] += 1
        if self._observer is not None:
            self._observer(call.method, _public_path(request), status)

    def _now(self) -> datetime:
        return self.realm.clock()


def s3_url(url: str) -> str:
    """The address of object storage, with a place for the region, beside an IAM that is served at this URL."""
    return url.removesuffix("/identity/v3") + S3_PATH


def _public_path(request: web.Request) -> str:
    """The path without anything that may be a token: long segments are cut, the query is dropped."""
    parts = request.rel_url.raw_path.split("/")
    return "/".join(part if len(part) <= 64 else part[:8] + "..." for part in parts)
