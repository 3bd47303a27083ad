"""What a stream of bytes may bring at most, by a reader of its own that shares no line with the broker or its parser.

- It is strict: it reads a request only as RFC 9110 and RFC 9112 write one, and stops at the first doubt. Whatever comes
  after the doubt may bring no 2xx, since two readers could disagree about where the next request begins.
- `Right` says what a request that was read may bring: the token, an answer without a secret, or a refusal alone.
- What may be had at the Keystone facade, at its one door, is for `claims`.
- h11 is the second opinion: what it refuses may bring no token either.
"""

import re
from dataclasses import dataclass, replace
from enum import Enum

import h11

from tests.fuzz import claims

_FIELD = re.compile(
    rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*((?:[\x21-\x7e\x80-\xff][ \t\x21-\x7e\x80-\xff]*)?)\r\n"
)
# What the broker's parser lets pass and nobody gains by, as who can write such a line can write a right one: more than one
# space between the parts, as RFC 9112 section 3 allows, RTSP in place of HTTP, and before the line any CR and LF.
_LINE = re.compile(rb"([A-Z][A-Z-]*) +([\x21-\x7e]+) +(?:HTTP|RTSP)/1\.([01])\r\n")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,8})(?:;[\t\x20-\x7e\x80-\xff]*)?\r\n")
# A little less than what the broker's parser takes.
_LONGEST = 8000
_MOST_FIELDS = 120
_PATHS = re.compile(rb"/v1/(?:token|identities/default/(?:token|keystone))")
_REPORTS = b"/v1/identities/default/rejections"
_LOOPBACK = re.compile(rb"(?i:localhost\.?|127\.\d{1,3}\.\d{1,3}\.\d{1,3}\.?|\[::1\])(?::\d{1,5})?")
_HOST = re.compile(rb"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~-]+)(?::\d{1,5})?")
_OPEN = re.compile(rb"/livez|/readyz(?:/default)?|/metrics|/openapi\.json")
_VIEWS = re.compile(rb"/v1/identities(?:/default(?:/catalog|/projects)?)?")
_FORWARDED = re.compile(
    rb"forwarded(-for)?|via|x-real-ip|x-forwarded(-.*)?|(x-)?(cluster-|true-|fastly-)?client-ip|cf-connecting-ip",
    re.DOTALL,
)


class Right(Enum):
    """The most that a request may bring."""

    NOTHING = "a refusal"
    ANSWER = "an answer without a secret"
    TOKEN = "the token"


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that can be read in one way only."""

    method: bytes
    target: bytes
    minor: int  # of HTTP/1
    fields: tuple[tuple[bytes, bytes], ...]  # names in lower case
    body: bytes = b""
    plain: bytes = b""  # all of it, with its first line as it should be

    def all(self, name: bytes) -> list[bytes]:
        """The values of every field of this name."""
        return [value for known, value in self.fields if known == name]

    @property
    def last(self) -> bool:
        """Whether it ends the connection, or offers to go on in another protocol."""
        words = {word.strip().lower() for value in self.all(b"connection") for word in value.split(b",")}
        leaves = self.method == b"CONNECT" or (b"upgrade" in words and self.all(b"upgrade"))
        return bool(leaves) or (b"close" in words if self.minor else b"keep-alive" not in words)


def read(stream: bytes) -> tuple[list[Asked], bytes]:
    """The requests at the start of the stream, and what is left from the first doubt on."""
    found = []
    while stream:
        stream = stream.lstrip(b"\r\n")
        one = _one(stream)
        if one is None:
            break
        asked, stream = one
        found.append(asked)
        if asked.last:
            break
    return found, stream


def _one(stream: bytes) -> tuple[Asked, bytes] | None:
    line = _LINE.match(stream)
    if line is None:
        return None
    at, fields = line.end(), []
    while field := _FIELD.match(stream, at):
        fields.append((field[1].lower(), field[2].rstrip(b" \t")))
        at = field.end()
    too_large = len(fields) > _MOST_FIELDS or any(
        len(piece) > _LONGEST for piece in (line[2], *sum(fields, ()))
    )
    if stream[at : at + 2] != b"\r\n" or too_large:
        return None
    head = Asked(line[1], line[2], int(line[3]), tuple(fields))
    rest = stream[at + 2 :]
    body = _body(head, rest)
    if body is None or (head.minor and len(head.all(b"host")) != 1) or head.all(b"sec-websocket-key1"):
        return None
    plain = b"%s %s HTTP/1.%s\r\n" % line.groups() + stream[line.end() : at + 2] + rest[: body[1]]
    return replace(head, body=body[0], plain=plain), rest[body[1] :]


def _body(head: Asked, rest: bytes) -> tuple[bytes, int] | None:
    """The body and how many bytes it took."""
    lengths, codings = head.all(b"content-length"), head.all(b"transfer-encoding")
    if codings:
        plain = [each.lower() for each in codings] == [b"chunked"]
        return _chunks(rest) if plain and not lengths and head.minor else None
    if not lengths:
        return b"", 0
    if len(lengths) > 1 or not re.fullmatch(rb"[0-9]{1,9}", lengths[0]) or int(lengths[0]) > len(rest):
        return None
    return rest[: int(lengths[0])], int(lengths[0])


def _chunks(rest: bytes) -> tuple[bytes, int] | None:
    body, at = b"", 0
    while size := _CHUNK.match(rest, at):
        at, length = size.end(), int(size[1], 16)
        if length == 0:
            trailers = 0
            while trailer := _FIELD.match(rest, at):
                at, trailers = trailer.end(), trailers + 1
            ends = rest[at : at + 2] == b"\r\n" and trailers < _MOST_FIELDS // 2
            return (body, at + 2) if ends else None
        if rest[at + length : at + length + 2] != b"\r\n":
            return None
        body += rest[at : at + length]
        at += length + 2
    return None


def right(asked: Asked, door: str) -> Right:
    """The most that this request may bring at this door."""
    path = asked.target.partition(b"?")[0]
    if not _well_meant(asked):
        return Right.NOTHING
    if door == "tcp" and not (len(asked.all(b"host")) == 1 and _LOOPBACK.fullmatch(asked.all(b"host")[0])):
        return Right.NOTHING
    if door == "tcp" and claims.is_facades(path):
        best = claims.best(asked.method, path, asked.fields, asked.body)
        most = {"token": Right.TOKEN, "answer": Right.ANSWER}.get(best, Right.NOTHING)
        return most if len(asked.body) <= 16 * 1024 else Right.NOTHING
    reads = asked.method in {b"GET", b"HEAD"} and not asked.body and not asked.all(b"transfer-encoding")
    if reads and _OPEN.fullmatch(path):
        return Right.ANSWER
    if door == "tcp" and [value.lower() for value in asked.all(b"metadata")] != [b"true"]:
        return Right.NOTHING
    if reads and _VIEWS.fullmatch(path):
        return Right.ANSWER
    reports = asked.method == b"POST" and path == _REPORTS and len(asked.body) <= 16 * 1024
    return Right.TOKEN if (reads and _PATHS.fullmatch(path)) or reports else Right.NOTHING


def _well_meant(asked: Asked) -> bool:
    """Without a fragment, by no browser and no proxy, and under a name that is one."""
    names = {name for name, _ in asked.fields}
    sites = {value.lower() for value in asked.all(b"sec-fetch-site")}
    hosts = asked.all(b"host")
    return (
        b"#" not in asked.target
        and b"origin" not in names
        and sites <= {b"none"}
        and not any(_FORWARDED.fullmatch(name) for name in names)
        and all(_HOST.fullmatch(value) for value in hosts)
        and len(hosts) <= 1
    )


def second_opinion(stream: bytes) -> int:
    """How many requests h11 reads before its first doubt."""
    reader, count = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20), 0
    asked, rest = read(stream)
    reader.receive_data(b"".join(one.plain for one in asked) + rest.lstrip(b"\r\n"))
    try:
        while isinstance(reader.next_event(), h11.Request):
            while not isinstance(event := reader.next_event(), h11.EndOfMessage):
                if event is h11.NEED_DATA or event is h11.PAUSED:
                    return count
            count += 1
            reader.send(h11.Response(status_code=405, headers=[("Content-Length", "0")]))
            reader.send(h11.EndOfMessage())
            reader.start_next_cycle()
    except (h11.RemoteProtocolError, h11.LocalProtocolError):
        pass  # it refuses what comes next, or the connection ends here
    return count
