"""The HTTP application: every route in one table."""

from aiohttp import web

from broker.core.ports import Clock
from broker.keeper.keyring import Keyring
from broker.serving import health, tokens
from broker.serving.context import CLOCK, DRAIN, KEYRING, POLICY, Policy
from broker.serving.drain import Drain
from broker.serving.gates import GATES, LARGEST_BODY


def application(keyring: Keyring, policy: Policy, clock: Clock, drain: Drain) -> web.Application:
    """The application that serves this keyring."""
    app = web.Application(middlewares=GATES, client_max_size=LARGEST_BODY)
    app[KEYRING] = keyring
    app[POLICY] = policy
    app[CLOCK] = clock
    app[DRAIN] = drain
    app.add_routes(
        [
            web.get("/v1/token", tokens.default_token),
            web.get("/v1/identities", tokens.identities),
            web.get("/v1/identities/{name}", tokens.identity),
            web.get("/v1/identities/{name}/token", tokens.named_token),
            web.get("/livez", health.livez),
            web.get("/readyz", health.readyz),
        ]
    )
    return app
