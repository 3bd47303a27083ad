"""From fields as they were read to an access key.

- Method 1 is `id` + `secret`, method 2 is `name` + `secret` + `user_id`; exactly one of the two.
- Every field is a `Secret` until it is found to be sound: people put the secret under another field's name.
- What looks like a secret is no id and no name: those are shown.
- All problems are told at once, by the place of the field, never with its value.
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from broker.core.errors import ConfigError, Problem
from broker.core.model import AccessKey, KeyById, KeyByName
from broker.core.redaction import looks_secret
from broker.core.secret import Secret

FIELDS = ("id", "name", "secret", "user_id")
# KakaoCloud's secrets have 70 or 86 characters, Keystone's names at most 255: this is a wrong file, not a key.
LONGEST = 1024
# As Keystone makes the ids of application credentials.
_ID = re.compile(r"[0-9a-f]{32}")
_ALONE = "write the value alone: no quotes, spaces or further lines"
_NONE: Mapping[str, Problem] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Place:
    """How a source calls itself and its fields before people."""

    whole: str
    at: Callable[[str], str]  # where one field stands: the head of its problem
    called: Callable[[str], str]  # what one field is called inside a sentence


def key_of(
    fields: Mapping[str, Secret],
    place: Place,
    *,
    unread: Mapping[str, Problem] = _NONE,
    own: Iterable[Problem] = (),
) -> AccessKey:
    """The key that the fields give; raises ConfigError with every problem.

    `unread` are fields that are there but could not be read, `own` are problems of the source as a whole.
    """
    given = {*fields, *unread}
    problems = [*own, *unread.values(), *_wrong_set(given, place), *_unsound(fields, place)]
    if problems:
        raise ConfigError(*problems)
    text = {field: _text(value) for field, value in fields.items() if field != "secret"}
    secret = Secret(_text(fields["secret"]))
    if "id" in text:
        return KeyById(text["id"], secret)
    return KeyByName(text["name"], text["user_id"], secret)


def _wrong_set(given: Collection[str], place: Place) -> Iterator[Problem]:
    has = {field: field in given for field in FIELDS}
    name = place.called
    if has["id"] and (has["name"] or has["user_id"]):
        second = name("name") if has["name"] else name("user_id")
        yield Problem(
            place.whole,
            f"gives a key both by {name('id')} and by {second}",
            f"keep {name('id')} and {name('secret')}, or {name('name')}, {name('user_id')} and {name('secret')}",
        )
    elif not (has["id"] or has["name"]):
        yield Problem(
            place.whole,
            "names no access key",
            f"give {name('id')} and {name('secret')}, or {name('name')}, {name('user_id')} and {name('secret')}",
        )
        return
    elif has["name"] and not has["user_id"]:
        yield Problem(place.at("user_id"), "is missing", "a key given by name needs its user's id too")
    if not has["secret"]:
        yield Problem(
            place.at("secret"), "is missing", "give the key's secret, which the console shows only once"
        )


def _unsound(fields: Mapping[str, Secret], place: Place) -> Iterator[Problem]:
    for field, value in fields.items():
        what = _fault(_text(value), spaced=field == "name")
        if what is not None:
            yield Problem(place.at(field), what, _ALONE)
        elif field != "secret" and looks_secret(_text(value)):
            # Ids and names are shown: in the status, in the log.
            yield Problem(place.at(field), "looks like a secret", "put each value under its own name")
    if "id" in fields and "secret" in fields and _swapped(_text(fields["id"]), _text(fields["secret"])):
        yield Problem(
            place.whole, f"has {place.called('id')} and {place.called('secret')} swapped", "swap them"
        )


def _swapped(key_id: str, secret: str) -> bool:
    """Whether the secret is what an id looks like, and the id is not."""
    return _ID.fullmatch(secret) is not None and _ID.fullmatch(key_id) is None


def _fault(text: str, *, spaced: bool) -> str | None:
    """What is wrong with a value; a key's name was typed by a person and may hold spaces and any letters."""
    if not text:
        return "is empty"
    if len(text) > LONGEST:
        return f"is longer than {LONGEST} characters"
    if "\n" in text or "\r" in text:
        return "has more than one line"
    if text != text.strip() or (not spaced and any(letter.isspace() for letter in text)):
        return "holds white space"
    if "\ufffd" in text or not text.isprintable():
        return "holds a character that cannot be printed"
    if not spaced and not text.isascii():
        return "holds a character that is not ASCII"
    return None


def _text(value: Secret) -> str:
    """The text without the one line end that editors and `echo` add."""
    text = value.reveal()
    if text.endswith("\r\n"):
        return text[:-2]
    return text.removesuffix("\n")
