"""Settings from the environment: `KAKAOCLOUD_BROKER_IAM__URL=...`, lists and tables as JSON.

- A variable replaces what its key holds in the file, whole.
- A variable without `__` that is no section is not ours to judge: Kubernetes sets KAKAOCLOUD_BROKER_PORT and others in
  every pod beside a Service called kakaocloud-broker. One that is nearly a setting is worth a word of `broker check`.
"""

import json
import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches

from broker.core.errors import Problem
from broker.settings.draft import Draft
from broker.settings.known import sections, spellings, unknown
from broker.settings.tree import Settings

PREFIX = "KAKAOCLOUD_BROKER_"
_OTHERS = {"config", "url", "traceback"}  # read elsewhere, by the command line and by clients
# What Kubernetes tells of a Service, also of one whose name begins with ours.
_KUBERNETES = re.compile(
    r"(.+_)?(service_host|service_port(_.+)?|port(_[0-9]+_(tcp|udp|sctp)(_(proto|port|addr))?)?)"
)
_NEAR = 0.75
_LISTS = {
    "listen": '[{"unix": "/..."}]',
    "grants": '[{"identity": "default", "users": ["app"]}]',
    "files": '[{"path": "/..."}]',
}


def overlay(draft: Draft, environ: Mapping[str, str]) -> None:
    """Puts every variable of ours into the draft, sections before what is inside them."""
    for name in sorted(environ, key=lambda name: (name.count("__"), name)):
        path = tuple(name.removeprefix(PREFIX).lower().split("__"))
        if name.startswith(PREFIX) and (len(path) > 1 or path[0] in sections()):
            _put(draft, path, name, environ[name])


def near_misses(environ: Mapping[str, str]) -> Iterator[Problem]:
    """The variables that are not read, and whose names are nearly those of settings."""
    known = spellings()
    for name in sorted(environ):
        word = name.removeprefix(PREFIX).lower()
        unread = name.startswith(PREFIX) and "__" not in word and word not in {*sections(), *_OTHERS}
        if unread and not _KUBERNETES.fullmatch(word):
            for near in get_close_matches(word, known, 1, _NEAR):
                meant = PREFIX + "__".join(map(str, known[near])).upper()
                yield Problem(name, "is not read, for it is no setting", f"did you mean {meant}?")


def _put(draft: Draft, path: tuple[str, ...], name: str, text: str) -> None:
    if path[0] not in Settings.model_fields:
        draft.origins[path] = name
        draft.problems.append(unknown(path[:1], draft))
    elif path[0] in _LISTS and len(path) > 1:
        remedy = f"set {PREFIX}{path[0].upper()}='{_LISTS[path[0]]}'"
        draft.problems.append(Problem(name, "sets a part of a list, which is set whole", remedy))
    elif len(path) > (3 if path[0] == "identities" else 2):
        draft.problems.append(Problem(name, "goes deeper than any setting", f"remove __{path[-1].upper()}"))
    elif _is_scalar(path, text):
        draft.put(path, text, name)
    else:
        try:
            draft.put(path, json.loads(text), name)
        except (ValueError, RecursionError) as error:
            draft.origins[path] = name
            place = (
                f" (line {error.lineno}, column {error.colno})"
                if isinstance(error, json.JSONDecodeError)
                else ""
            )
            draft.problems.append(
                Problem(name, f"is not JSON{place}", "lists and tables are written as JSON")
            )


def _is_scalar(path: tuple[str, ...], text: str) -> bool:
    if path[0] == "identities":
        # The end of the only key is one text, the ends of two are a list.
        is_list = path[-1] == "keys" or (path[-1] == "key_expires_at" and text.lstrip().startswith("["))
        return len(path) == 3 and not is_list
    return len(path) == 2 and path != ("serving", "hosts")
