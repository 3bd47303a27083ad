"""Cuts out of a text what looks like a secret: the second net, below the type `Secret`, which cannot be shown at all.

It knows shapes and names, no values, so that it holds no copy of what it guards. What it takes for a secret:

- A Fernet token as Keystone issues them, from its `gAAAAA` on.
- An access secret: 86 or more characters of url-safe base64 with capitals, small letters and digits, or 70 or more hex
  digits. A SHA-256 (64 digits), an id (32) and the name of a container's unit are none.
- What follows a name that says so: `X-Auth-Token: ...`, `'secret': '...'`, `OS_PASSWORD=...`.
- A user and a password in an address.
"""

import re

MASK = "***"
_SHORTEST = 70  # characters of an access secret
_FERNET = re.compile(r"gAAAAA[A-Za-z0-9_-]*={0,2}")
_RUN = re.compile(rf"[A-Za-z0-9_-]{{{_SHORTEST},}}")
_HEX = re.compile(rf"[0-9a-fA-F]{{{_SHORTEST},}}")
_LONGER = 86
_DIFFERENT = 8  # digits of 16 there are; of 70 by chance it is nearly all of them
_CAPITAL, _SMALL, _DIGIT = re.compile(r"[A-Z]"), re.compile(r"[a-z]"), re.compile(r"[0-9]")
_USER = re.compile(r"://[^/\s@]*@")

_HEADER = r"x-(?:auth|subject|service)-token|(?:proxy-)?authorization|(?:set-)?cookie"
_FIELD = r"\w*(?:secret|passw(?:or)?d|token)"
_ENDS = ("secret", "password", "passwd", "token", "authorization", "cookie")
# The search for names takes ten times as long as all the rest; texts without one of these are spared it.
_HINTS = ("secret", "passw", "token", "authorization", "cookie")
# The name and what parts it from its value; then a value in quotes, escaped ones too, or one word after its scheme.
_NAMED = re.compile(
    rf"""
    ((?<![\w-])(?:
        (?:{_HEADER}|{_FIELD})\\*['"]\s*[:=,]\s*
      | (?:{_HEADER})\s*[:=]\s*
      | {_FIELD}(?:=(?!=)|\s*=\s*(?=\\*['"]))
    ) [\[(]*)
    (?:
        b?(\\*['"]).*?\2
      | (?!Secret\(\*) \\*['"]? (?:(?:basic|bearer|digest)\s+)? [^\s'",;)}}\]\\]+
    )
    """,
    re.IGNORECASE | re.VERBOSE,
)


def redacted(text: str) -> str:
    """The text without what looks like a secret. Some microseconds for a sentence, 0.1 ms for a traceback of 3 kB."""
    if "gAAAAA" in text:
        text = _FERNET.sub(MASK, text)
    if len(text) >= _SHORTEST:
        text = _RUN.sub(_unless_harmless, text)
    if "://" in text:
        text = _USER.sub(f"://{MASK}@", text)
    if "=" in text or ":" in text or "'" in text or '"' in text:
        small = text.lower()
        for hint in _HINTS:
            if hint in small:
                return _NAMED.sub(_value_cut, text)
    return text


def looks_secret(text: str) -> bool:
    """Whether something in it has the shape of a token or of an access secret."""
    return "gAAAAA" in text or any(_is_secret(run[0]) for run in _RUN.finditer(text))


def names_secret(name: str) -> bool:
    """Whether a field or header of this name holds a secret."""
    return name.lower().endswith(_ENDS)


def _unless_harmless(run: re.Match[str]) -> str:
    return MASK if _is_secret(run[0]) else run[0]


def _is_secret(run: str) -> bool:
    # A long number, a line of dashes, the same letter again and again: chance does not make those.
    digits = _HEX.search(run)
    if digits is not None and len(set(digits[0])) >= _DIFFERENT:
        return True
    return len(run) >= _LONGER and all(kind.search(run) is not None for kind in (_CAPITAL, _SMALL, _DIGIT))


def _value_cut(found: re.Match[str]) -> str:
    quote = found[2] or ""
    return f"{found[1]}{quote}{MASK}{quote}"
