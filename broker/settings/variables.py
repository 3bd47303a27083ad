"""Settings from the environment: `KAKAOCLOUD_BROKER_IAM__URL=...`, lists and tables as JSON.

- A variable replaces what its key holds in the file, whole.
- A variable without `__` that is no section is not ours to judge: Kubernetes sets KAKAOCLOUD_BROKER_PORT and others in
  every pod beside a Service called kakaocloud-broker.
"""

import json
from collections.abc import Mapping

from broker.core.errors import Problem
from broker.settings.draft import Draft
from broker.settings.known import sections, unknown
from broker.settings.tree import Settings

PREFIX = "KAKAOCLOUD_BROKER_"
_LISTS = {"listen": '[{"unix": "/..."}]', "grants": '[{"identity": "default", "users": ["app"]}]'}


def overlay(draft: Draft, environ: Mapping[str, str]) -> None:
    """Puts every variable of ours into the draft, sections before what is inside them."""
    for name in sorted(environ, key=lambda name: (name.count("__"), name)):
        path = tuple(name.removeprefix(PREFIX).lower().split("__"))
        if name.startswith(PREFIX) and (len(path) > 1 or path[0] in sections()):
            _put(draft, path, name, environ[name])


def _put(draft: Draft, path: tuple[str, ...], name: str, text: str) -> None:
    if path[0] not in Settings.model_fields:
        draft.origins[path] = name
        draft.problems.append(unknown(path[:1], draft))
    elif path[0] in _LISTS and len(path) > 1:
        remedy = f"set {PREFIX}{path[0].upper()}='{_LISTS[path[0]]}'"
        draft.problems.append(Problem(name, "sets a part of a list, which is set whole", remedy))
    elif len(path) > (3 if path[0] == "identities" else 2):
        draft.problems.append(Problem(name, "goes deeper than any setting", f"remove __{path[-1].upper()}"))
    elif _is_scalar(path):
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


def _is_scalar(path: tuple[str, ...]) -> bool:
    if path[0] == "identities":
        return len(path) == 3 and path[2] != "keys"
    return len(path) == 2 and path != ("serving", "hosts")
