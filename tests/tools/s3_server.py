"""An S3 server with one bucket, which believes no signature but those of credentials that the emulated object storage gave.

It checks AWS' Signature Version 4 by its own few lines, the session token, and by its own clock that neither the credentials
nor the request's date have ended. It answers ListBuckets and ListObjectsV2, and says what it was asked with.
"""

import hashlib
import hmac
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from aiohttp import web

from broker.fakeiam.storage import S3Keys

BUCKET, KEY = "ledgers", "2026/november.csv"
_SKEW = timedelta(minutes=15)
_LOGIN = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([A-Z0-9]+)/(\d{8}/([a-z0-9-]+)/s3/aws4_request), *SignedHeaders=([a-z0-9;-]+), *Signature=([0-9a-f]{64})"
)
_NAMESPACE = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'


class Refused(Exception):
    """A request that is refused, by S3's code."""


@dataclass
class S3Server:
    """Where it listens, and what it was asked: each with the id of the credentials, and the code of a refusal."""

    url: str
    find: Callable[[str], S3Keys | None]
    asked: list[tuple[str, str | None]] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.Response:
        login = _LOGIN.fullmatch(request.headers.get("Authorization", ""))
        used = "" if login is None else login[1]
        try:
            self._judge(request, login, await request.read())
        except Refused as refused:
            self.asked.append((used, str(refused)))
            text = f"<Error><Code>{refused}</Code><Message>{refused}</Message></Error>"
            return web.Response(status=403, text=text, content_type="application/xml")
        self.asked.append((used, None))
        return web.Response(text=_listing(request.path), content_type="application/xml")

    def _judge(self, request: web.Request, login: re.Match[str] | None, body: bytes) -> None:
        if login is None:
            raise Refused("AccessDenied")
        used, scope, region, names, signature = login.groups()
        keys, now = self.find(used), datetime.now(UTC)
        if keys is None:
            raise Refused("InvalidAccessKeyId")
        if not hmac.compare_digest(keys.session_token, request.headers.get("X-Amz-Security-Token", "")):
            raise Refused("InvalidToken")
        if now >= keys.expires_at:
            raise Refused("ExpiredToken")
        date = request.headers["X-Amz-Date"]
        if abs(datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC) - now) > _SKEW:
            raise Refused("RequestTimeTooSkewed")
        signed = names.split(";")
        if region != keys.region or not {"host", "x-amz-date", "x-amz-security-token"} <= set(signed):
            raise Refused("AuthorizationHeaderMalformed")
        if request.headers["X-Amz-Content-Sha256"] != hashlib.sha256(body).hexdigest():
            raise Refused("XAmzContentSHA256Mismatch")
        if not hmac.compare_digest(signature, _signature(request, keys.secret, scope, signed)):
            raise Refused("SignatureDoesNotMatch")


def _signature(request: web.Request, secret: str, scope: str, signed: list[str]) -> str:
    """As AWS describes it: a hash of the request's one spelling, under a key that is good for a day, region and service."""
    path, _, query = request.raw_path.partition("?")
    parts = sorted(part if "=" in part else f"{part}=" for part in query.split("&") if part)
    headers = "".join(f"{name}:{' '.join(request.headers[name].split())}\n" for name in signed)
    spelled = [
        request.method,
        path,
        "&".join(parts),
        headers,
        ";".join(signed),
        request.headers["X-Amz-Content-Sha256"],
    ]
    digest = hashlib.sha256("\n".join(spelled).encode()).hexdigest()
    key = f"AWS4{secret}".encode()
    for word in scope.split("/"):
        key = hmac.digest(key, word.encode(), "sha256")
    to_sign = "\n".join(["AWS4-HMAC-SHA256", request.headers["X-Amz-Date"], scope, digest])
    return hmac.digest(key, to_sign.encode(), "sha256").hex()


def _listing(path: str) -> str:
    day = "<{0}>2026-01-01T00:00:00.000Z</{0}>"
    if path == "/":
        owner = "<Owner><ID>fake</ID></Owner>"
        bucket = f"<Bucket><Name>{BUCKET}</Name>{day.format('CreationDate')}</Bucket>"
        return f"<ListAllMyBucketsResult {_NAMESPACE}>{owner}<Buckets>{bucket}</Buckets></ListAllMyBucketsResult>"
    row = f'<Contents><Key>{KEY}</Key>{day.format("LastModified")}<ETag>"0"</ETag><Size>7</Size></Contents>'
    head = (
        f"<Name>{BUCKET}</Name><KeyCount>1</KeyCount><MaxKeys>1000</MaxKeys><IsTruncated>false</IsTruncated>"
    )
    return f"<ListBucketResult {_NAMESPACE}>{head}{row}</ListBucketResult>"


@asynccontextmanager
async def s3_server(find: Callable[[str], S3Keys | None]) -> AsyncIterator[S3Server]:
    """Serve it on a free port of loopback; `find` gives the credentials of an access key id."""
    server = S3Server("", find)
    app = web.Application()
    app.router.add_route("GET", "/{rest:.*}", server.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield server
    finally:
        await runner.cleanup()
