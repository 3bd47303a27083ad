"""The HTTP application of one listener: every route in one table, by what the listener serves."""

from aiohttp import web

from broker.serving import facades, health, identities, keystone, openapi, rejections, s3, tokens
from broker.serving.context import DESK, Desk
from broker.serving.doorway import DOORWAY, Doorway, Serve
from broker.serving.gates import LARGEST_BODY
from broker.serving.passage import PASSAGE

# `GET` brings `HEAD` along.
_METHODS = {"GET": web.get, "POST": web.post, "DELETE": web.delete}

ROUTES = {
    Serve.TOKENS: (
        ("GET", "/v1/token", tokens.default_token),
        ("GET", "/v1/facade", facades.default_facade),
        ("GET", "/v1/identities", identities.identities),
        ("GET", "/v1/identities/{name}", identities.identity),
        ("GET", "/v1/identities/{name}/token", tokens.named_token),
        ("GET", "/v1/identities/{name}/keystone", keystone.keystone),
        ("GET", "/v1/identities/{name}/catalog", identities.catalog),
        ("GET", "/v1/identities/{name}/projects", identities.projects),
        ("GET", "/v1/identities/{name}/s3-credentials", s3.s3_credentials),
        ("GET", "/v1/identities/{name}/facade", facades.named_facade),
        ("POST", "/v1/identities/{name}/rejections", rejections.reject),
        ("GET", "/openapi.json", openapi.document),
    ),
    Serve.HEALTH: (
        ("GET", "/livez", health.livez),
        ("GET", "/readyz", health.readyz),
        ("GET", "/readyz/{name}", health.readyz_one),
    ),
    Serve.METRICS: (("GET", "/metrics", health.metrics),),
}


def application(desk: Desk, doorway: Doorway) -> web.Application:
    """What this listener serves; what it does not serve has no route there."""
    app = web.Application(middlewares=PASSAGE, client_max_size=LARGEST_BODY)
    app[DESK] = desk
    app[DOORWAY] = doorway
    for kind in sorted(doorway.serve):
        app.add_routes([_METHODS[method](path, handler) for method, path, handler in ROUTES[kind]])
    for face in doorway.faces:
        app.add_routes([_METHODS[method](path, handler) for method, path, handler in face.routes])
    return app
