"""The HTTP application of one listener: every route in one table, by what the listener serves."""

from aiohttp import web

from broker.serving import health, identities, openapi, tokens
from broker.serving.context import DESK, Desk
from broker.serving.doorway import DOORWAY, Doorway, Serve
from broker.serving.passage import LARGEST_BODY, PASSAGE

ROUTES = {
    Serve.TOKENS: (
        ("/v1/token", tokens.default_token),
        ("/v1/identities", identities.identities),
        ("/v1/identities/{name}", identities.identity),
        ("/v1/identities/{name}/token", tokens.named_token),
        ("/v1/identities/{name}/catalog", identities.catalog),
        ("/v1/identities/{name}/projects", identities.projects),
        ("/openapi.json", openapi.document),
    ),
    Serve.HEALTH: (
        ("/livez", health.livez),
        ("/readyz", health.readyz),
        ("/readyz/{name}", health.readyz_one),
    ),
    Serve.METRICS: (("/metrics", health.metrics),),
}


def application(desk: Desk, doorway: Doorway) -> web.Application:
    """What this listener serves; what it does not serve has no route there."""
    app = web.Application(middlewares=PASSAGE, client_max_size=LARGEST_BODY)
    app[DESK] = desk
    app[DOORWAY] = doorway
    for kind in sorted(doorway.serve):
        app.add_routes([web.get(path, handler) for path, handler in ROUTES[kind]])
    return app
