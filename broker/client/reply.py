"""What a broker answers, read strictly: whatever no broker sends is from no broker.

Rules: a head has an end within some kilobytes, and nothing but printable ASCII; a body has one length, told before it and
bounded; a body in chunks, or up to the connection's end, is refused, since the broker sends neither and a cut one would
look whole. No byte is parsed twice with two meanings: of what is not listened to, only the form is judged.
"""

from __future__ import annotations

from broker.client.failures import Unreachable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

BEGIN = b"HTTP/1."
# No answer of the broker is larger.
LARGEST = 8 * 1024 * 1024
LONGEST_HEAD = 16 * 1024
_HEARD = {"content-length", "transfer-encoding", "content-type", "etag"}
# These have no body, whatever they say (RFC 9110, 6.4.1).
_BODILESS = {204, 304}


class Answer:
    """What the broker said; `kind` is the media type of its body."""

    __slots__ = ("body", "etag", "kind", "status")

    def __init__(self, status: int, body: bytes, etag: str | None = None, kind: str = "") -> None:
        self.status = status
        self.body = body
        self.etag = etag
        self.kind = kind

    def tree(self) -> dict[str, Any]:
        """The JSON object that was sent. Raises Unreachable when it is none: not from a broker."""
        import json  # noqa: PLC0415  (a bare token needs none)

        try:
            tree = json.loads(self.body)
        except (ValueError, RecursionError):
            tree = None
        if not isinstance(tree, dict):
            raise no_broker()
        return tree


class Head:
    """The head of an answer; its body has `length` bytes."""

    __slots__ = ("etag", "kind", "length", "status")

    def __init__(self, text: bytes) -> None:
        """Read it, without the empty line at its end. Raises Unreachable when it is no broker's."""
        try:
            first, *lines = text.decode("ascii").split("\r\n")
        except UnicodeDecodeError:
            raise no_broker() from None
        fields = _fields(lines)
        self.status = _status(first)
        self.length = 0 if self.status in _BODILESS else _length(fields)
        self.etag = fields.get("etag")
        self.kind = fields.get("content-type", "").partition(";")[0].rstrip().lower()


class Cut(Exception):
    """The server closed the connection before its answer was whole."""


class Incoming:
    """An answer while its bytes come in, whoever waits for them: a thread or a task."""

    __slots__ = ("_got", "_head")

    def __init__(self) -> None:
        self._got = bytearray()
        self._head: Head | None = None

    def feed(self, got: bytes) -> Answer | None:
        """The answer once it is whole. Raises Unreachable when it is no broker's, Cut when `got` is its early end."""
        if not got:
            raise Cut
        self._got += got
        head = self._head = self._head or self._read_head()
        if head is None or len(self._got) < head.length:
            return None
        return Answer(head.status, bytes(self._got[: head.length]), head.etag, head.kind)

    def _read_head(self) -> Head | None:
        """The head once it has come; what is left then is of the body."""
        end = self._got.find(b"\r\n\r\n")
        if end < 0 and len(self._got) <= LONGEST_HEAD and self._got.startswith(BEGIN[: len(self._got)]):
            return None
        if not 0 < end <= LONGEST_HEAD:
            raise no_broker()
        head = Head(bytes(self._got[:end]))
        del self._got[: end + 4]
        return head


def no_broker() -> Unreachable:
    """That something else listens where a broker should."""
    return Unreachable("what listens there is no broker; is KAKAOCLOUD_BROKER_URL right?")


def _status(line: str) -> int:
    version, _, rest = line.partition(" ")
    code = rest[:3]
    if version not in {"HTTP/1.1", "HTTP/1.0"} or rest[3:4] not in {"", " "} or not line.isprintable():
        raise no_broker()
    if not code.isdigit() or not 200 <= int(code) <= 599:
        raise no_broker()
    return int(code)


def _fields(lines: list[str]) -> dict[str, str]:
    """Those fields that mean something to us, each at most once."""
    found: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name or " " in name or not line.isprintable():
            raise no_broker()
        name = name.lower()
        if name in _HEARD:
            if name in found:
                raise no_broker()
            found[name] = value.strip()
    return found


def _length(fields: dict[str, str]) -> int:
    told = fields.get("content-length", "")
    # Ten digits at most: int() of a million of them takes long.
    if "transfer-encoding" in fields or not told.isdigit() or len(told) > 10 or int(told) > LARGEST:
        raise no_broker()
    return int(told)
