"""S3 credentials, for who may read the identity: as AWS' SDKs take them from a container's endpoint.

- Their end is told by whichever is sooner: object storage's clock, IAM's for the token that they were made with, or this
  host's, by which SDKs reckon. So no clock that is wrong, or is put right later, has an SDK use what has ended.
- They are answered by the full path each time, and never remembered by the lane: an answer depends on more than a lease.
"""

import re
from datetime import datetime, timedelta
from functools import partial

from aiohttp import web

from broker.core.errors import Code, Refusal
from broker.keeper.health import instant
from broker.keeper.s3_held import S3Held
from broker.serving import moments, prefer
from broker.serving.answers import Json
from broker.serving.context import DESK
from broker.serving.headers import NO_STORE
from broker.serving.passage import workload
from broker.serving.permission import permit, s3_handed_out, still

SHORTEST, LONGEST = 60, 43_200  # seconds that may be asked for
_KNOWN = frozenset({"region", "duration"})
_REGION = re.compile(r"[a-z0-9-]{1,63}")
_SECONDS = re.compile(r"[0-9]{1,5}")


async def s3_credentials(request: web.Request) -> web.Response:
    """`GET /v1/identities/{name}/s3-credentials`."""
    desk, name = request.app[DESK], permit(request).identity
    member = desk.members[name]
    wish = member.s3.wish(*_asked(request))
    patience = prefer.patience(request)
    held = await member.s3.keys(wish, patience.until, partial(_pace, request))
    allowed = still(request, member.keeper)
    now = desk.clock.now()
    if request.method != "HEAD":  # which takes nothing away
        s3_handed_out(request, allowed, held, now)
    return web.json_response(_shown(held, now, desk.clock.wall()), headers=NO_STORE | patience.applied())


def _asked(request: web.Request) -> tuple[str | None, int | None]:
    """The region and the seconds in the query, which may have nothing else, and each once. Raises Refusal."""
    query = request.query
    if not _KNOWN.issuperset(query) or len(query) != len(set(query)):
        raise Refusal(Code.BAD_REQUEST, "of a query, S3 credentials know `region` and `duration`, each once")
    region, duration = query.get("region"), query.get("duration")
    if region is not None and not _REGION.fullmatch(region):
        raise Refusal(Code.BAD_REQUEST, "a region is written like kr-central-2")
    if duration is None:
        return region, None
    if not _SECONDS.fullmatch(duration) or not SHORTEST <= int(duration) <= LONGEST:
        raise Refusal(Code.BAD_REQUEST, f"a duration is a number of seconds from {SHORTEST} to {LONGEST}")
    return region, int(duration)


def _pace(request: web.Request) -> float:
    """What a wish of one's own costs, which has object storage asked for nobody else."""
    desk = request.app[DESK]
    return desk.pace.take(workload(request).uid, desk.clock.now())


def _shown(held: S3Held, now: float, wall: datetime) -> Json:
    keys = held.keys
    ends = (
        keys.expires_at,
        instant(held.origin.token.token.expires_at),
        wall + timedelta(seconds=held.life.deadline - now),
    )
    return {
        "AccessKeyId": keys.access_key_id,
        "SecretAccessKey": keys.secret.reveal(),
        "Token": keys.session_token.reveal(),
        "Expiration": moments.shown(min(ends)),
    }
