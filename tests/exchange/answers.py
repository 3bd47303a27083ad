"""Answers of an object storage, written out from KakaoCloud's documentation; what the tests of the exchange feed to it."""

from tests.issuer.replies import TOKEN

# Canaries: no text that leaves the exchange in an error may hold one of them.
S3_SECRET = "canarys3secretcanarys3secretcanarys3secret"
SESSION = "canarysessioncanarysessioncanarysession/+="
CANARIES = (TOKEN, S3_SECRET, SESSION)
PARTS = {
    "AccessKeyId": "AKIAEXAMPLE00000001",
    "SecretAccessKey": S3_SECRET,
    "SessionToken": SESSION,
    "Expiration": "2026-10-02T08:30:00Z",
}
DATE = "Fri, 02 Oct 2026 08:00:00 GMT"
ROOT = "AssumeRoleWithWebIdentityResponse"


def document(space: str = "", head: str = '<?xml version="1.0"?>', **changes: str | None) -> bytes:
    """The answer's body; `changes` replace parts, None takes one away."""
    inner = "".join(
        f"<{name}>{text}</{name}>" for name, text in (PARTS | changes).items() if text is not None
    )
    way = f"<AssumeRoleWithWebIdentityResult><Credentials>{inner}</Credentials></AssumeRoleWithWebIdentityResult>"
    return f"{head}<{ROOT}{space}>{way}</{ROOT}>".encode()


def given(body: bytes | None = None, *headers: str) -> bytes:
    """An HTTP/1.1 answer with credentials."""
    body = document() if body is None else body
    lines = ["HTTP/1.1 200 OK", "Content-Type: text/xml", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body
