"""A token with all that IAM said of it, for clients that are made for Keystone and work with its catalog.

Both are of one moment: two requests could be answered from two tokens.
"""

import json

from aiohttp import web

from broker.serving import prefer
from broker.serving.context import DESK
from broker.serving.headers import NO_STORE
from broker.serving.permission import handed_out, permit, still


async def keystone(request: web.Request) -> web.Response:
    """`GET /v1/identities/{name}/keystone`."""
    desk, name = request.app[DESK], permit(request).identity
    keeper = desk.keyring[name]
    patience = prefer.patience(request)
    held = await keeper.token(patience.until)
    allowed = still(request, keeper)
    if request.method != "HEAD":  # which takes nothing away
        handed_out(request, allowed, held, desk.clock.now())
    answer = {"identity": name, "token": held.token.value.reveal(), "body": json.loads(held.token.body)}
    return web.json_response(answer, headers=NO_STORE | patience.applied())
