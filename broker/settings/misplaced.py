"""Secrets where a setting belongs: a key pasted in place of its file's path, a token in a name.

Paths, addresses and names are shown, in the log and to workloads, and a file of settings is not kept like a key. So what has
the shape of a secret is refused wherever it stands.
"""

from collections.abc import Iterator

from broker.core.errors import Problem
from broker.core.redaction import looks_secret
from broker.settings.draft import Draft, Path

_REMEDY = (
    "keep keys in files of their own, named in the `keys` of an identity, and replace this one: "
    "whoever may read the settings has it"
)


def misplaced(draft: Draft) -> Iterator[Problem]:
    """The values that look like an access secret or a token."""
    for path, text in _texts(draft.table):
        if looks_secret(text):
            yield Problem(draft.where(path), "looks like a secret", _REMEDY)


def _texts(table: dict[str, object]) -> Iterator[tuple[Path, str]]:
    """Every text at any depth, without recursion: JSON in a variable may be deep."""
    left: list[tuple[Path, object]] = [((), table)]
    while left:
        path, value = left.pop()
        if isinstance(value, str):
            yield path, value
        elif isinstance(value, dict):
            left += [((*path, key), item) for key, item in reversed(value.items())]
        elif isinstance(value, list):
            left += [((*path, index), item) for index, item in reversed([*enumerate(value)])]
