r"""Bytes of a request as text that people can read and write: `GET /livez HTTP/1.1\r\nX: {9000*a}\r\n\r\n`.

- Everything that is no printable ASCII stands as in Python's bytes: `\r`, `\n`, `\t`, `\x00`, and `\\`.
- `{9000*a}` is so many of what stands behind the star; `{name}` is one of `WORDS`; any other brace is itself.
"""

import re

_FIELDS = b"Host: localhost\r\nMetadata: true\r\n"
_GET = b"GET /v1/token HTTP/1.1\r\n" + _FIELDS
_CLAIM = (
    b'{"auth": {"identity": {"methods": ["application_credential"], '
    b'"application_credential": {"id": "default", "secret": "anything"}}}}'
)
_JSON = b"Host: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"
_LOGIN = b"POST /v3/auth/tokens HTTP/1.1\r\n" + _JSON % len(_CLAIM)
WORDS = {
    "fields": _FIELDS,
    "get": _GET,
    "honest": _GET + b"\r\n",
    "post": b"POST /v1/identities/default/rejections HTTP/1.1\r\n" + _FIELDS,
    "claim": _CLAIM,
    "signin": _LOGIN,
    "login": _LOGIN + b"Connection: close\r\n\r\n" + _CLAIM,
    "report": b'{"sha256": "' + b"0" * 64 + b'"}',  # 78 bytes
}
_WORD = re.compile(r"\{(?:([0-9]+)\*([^{}]+)|(" + "|".join(WORDS) + r"))\}")
_RUN = re.compile(rb"([^{}]{1,12}?)\1{30,}")


class Stream(bytes):
    """Bytes that show themselves so."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f'read("{spelled(self)}")'


def spelled(data: bytes) -> str:
    """The text for these bytes."""
    text, at = "", 0
    while run := _RUN.search(data, at):
        count = len(run[0]) // len(run[1])
        text += _escaped(data[at : run.start()]) + f"{{{count}*{_escaped(run[1])}}}"
        at = run.start() + count * len(run[1])
    return text + _escaped(data[at:])


def read(text: str) -> Stream:
    """The bytes that a text means."""
    found, at = b"", 0
    for word in _WORD.finditer(text):
        found += _plain(text[at : word.start()])
        found += WORDS[word[3]] if word[3] else int(word[1]) * _plain(word[2])
        at = word.end()
    return Stream(found + _plain(text[at:]))


def _plain(text: str) -> bytes:
    return text.encode("ascii").decode("unicode_escape").encode("latin-1")


def _escaped(data: bytes) -> str:
    # A brace that would be read as a word is spelled by its number.
    text = repr(data + b'"')[2:-2].replace("\\'", "'")
    return _WORD.sub(lambda word: "\\x7b" + word[0][1:], text)
