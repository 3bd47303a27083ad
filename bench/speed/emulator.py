"""The emulated IAM, as a process of its own: `broker fake-iam`, and its control API."""

import json
import shlex
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from bench.speed.processes import Failed, started

_ANSWERS_WITHIN = 10.0  # seconds


@dataclass(frozen=True, slots=True)
class Key:
    """An access key of the emulator; nothing real opens with it."""

    id: str
    secret: str


class Emulator:
    """A running emulator; `url` is its IAM's."""

    def __init__(self, url: str, key: Key) -> None:
        self.url = url
        self.key = key
        self._control = url.removesuffix("/identity/v3") + "/_fake"

    def new_key(self) -> Key:
        """One more key of the same user."""
        made = self._ask("POST", "/keys")
        return Key(made["id"], made["secret"])

    def live(self, life: str) -> None:
        """How long tokens live from now on, as "12h"."""
        self._ask("PUT", "/life", life)

    def issued(self) -> int:
        """How many tokens it has given."""
        return int(self._ask("GET", "/counters").get("issue", {}).get("201", 0))

    def _ask(self, method: str, path: str, body: str = "") -> Any:  # noqa: ANN401  (JSON)
        request = urllib.request.Request(self._control + path, body.encode() or None, method=method)  # noqa: S310
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=_ANSWERS_WITHIN) as answer:
            return json.load(answer)


@contextmanager
def emulator() -> Iterator[Emulator]:
    """An emulator for as long as the context lasts. Raises Failed."""
    command = [sys.executable, "-m", "broker", "fake-iam", "--port", "0"]
    with started(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as child:
        if child.stdout is None:
            raise TypeError("the emulator needs a pipe")
        told: dict[str, str] = {}
        while "OS_AUTH_URL" not in told:
            line = child.stdout.readline().decode()
            if not line:
                raise Failed("the emulated IAM did not start")
            name, _, value = line.removeprefix("export ").strip().partition("=")
            told[name] = shlex.split(value)[0]
        key = Key(*(told[f"KAKAOCLOUD_APPLICATION_CREDENTIAL_{part}"] for part in ("ID", "SECRET")))
        yield Emulator(told["OS_AUTH_URL"], key)
