"""Texts that are planted to be looked for, each its own, so that a leak says what has leaked.

- One that has KakaoCloud's shape may be cut out by the second net; a word has no shape, so that only the types keep it in.
- What is looked through is bytes, and each canary is looked for in every spelling that a program might give it, whole, by its
  beginning and by its end. The SHA-256 of one is no leak.
"""

import base64
import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import quote

# Long enough to be nothing else; what is shortened for a reader keeps as little as this (`reprlib`).
_PART = 12


@dataclass(slots=True)
class Canaries:
    """All that was planted in one run, by its text."""

    kinds: dict[str, str] = field(default_factory=dict)

    def word(self, kind: str) -> str:
        """One without a shape; with letters that some spellings escape."""
        return self.note(f"{secrets.token_hex(5)}/canary+word~{secrets.token_hex(8)}", kind)

    def plain_word(self, kind: str) -> str:
        """One without a shape for where a slash has a meaning."""
        return self.note(f"{secrets.token_hex(5)}canary{secrets.token_hex(8)}", kind)

    def base64(self, kind: str) -> str:
        """A secret as Keystone makes them."""
        return self.note(secrets.token_urlsafe(64), kind)

    def hex(self, kind: str) -> str:
        """A secret as KakaoCloud's console shows them."""
        return self.note(secrets.token_hex(35), kind)

    def fernet(self, kind: str) -> str:
        """A token as Keystone makes them."""
        return self.note(f"gAAAAAB{secrets.token_urlsafe(140)}==", kind)

    def note(self, text: str, kind: str) -> str:
        self.kinds[text] = kind
        return text

    def found(self, output: str | bytes) -> list[str]:
        """What is in there, by its kind and spelling; never the text itself."""
        content = output.encode(errors="surrogateescape") if isinstance(output, str) else output
        return [
            f"{kind}, {how}"
            for text, kind in self.kinds.items()
            for how, spelling in spellings(text)
            if spelling in content
        ]


def spellings(text: str) -> Iterator[tuple[str, bytes]]:
    """Each way to write it, whole or in part."""
    raw = text.encode()
    yield "as it is", raw
    yield "its beginning", raw[:_PART]
    yield "its end", raw[-_PART:]
    yield "quoted for an address", quote(text, safe="").encode()
    yield "as JSON", json.dumps(text)[1:-1].replace("/", "\\/").encode()
    yield "as JSON in JSON", json.dumps(json.dumps(text)[1:-1])[1:-1].encode()
    yield "escaped", "".join(f"\\u{ord(letter):04x}" for letter in text).encode()
    for name, number in (("hex", raw.hex()), ("HEX", raw.hex().upper())):
        yield f"as {name}", number[: 2 * _PART].encode()
    # Whatever stands before it, one of three alignments of base64 is there; its first and last letters depend on that.
    for before in range(3):
        packed = base64.b64encode(bytes(before) + raw)[4:-4]
        yield f"in base64 at {before}", packed[:_PART]
        yield f"in url-safe base64 at {before}", packed[:_PART].replace(b"+", b"-").replace(b"/", b"_")
