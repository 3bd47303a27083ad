"""`broker explain` with settings of its own: three listeners with tokens, of which one is limited, and three grants."""

import os
from pathlib import Path

from click.testing import CliRunner, Result

from broker.cli.main import broker

SOCKET, LIMITED, TCP, HEALTH = "/nowhere/s", "/nowhere/t", "127.0.0.1:9780", "0.0.0.0:9781"
HEAD = f"""
[identities.default]
keys = ["/no/such/key"]
[identities.shop]
keys = ["/no/such/other"]
[[listen]]
unix = "{SOCKET}"
[[listen]]
unix = "{LIMITED}"
identities = ["shop"]
[[listen]]
tcp = "{TCP}"
[[listen]]
tcp = "{HEALTH}"
serve = ["health", "metrics"]
"""
GRANTS = f"""
[[grants]]
identity = "default"
users = ["root", 1001]
groups = [50]
units = ["app.service", "jobs.slice"]
[[grants]]
identity = "default"
users = [1001, 1002]
listeners = ["{TCP}"]
[[grants]]
identity = "shop"
any = true
listeners = ["{LIMITED}"]
"""
WHOM = "users root (0), 1001, group 50, units app.service, jobs.slice"
BROKER = ("--owner", "990", "--no-in-container")


def written(folder: Path, text: str = HEAD + GRANTS, name: str = "broker.toml") -> Path:
    """A settings file."""
    path = folder / name
    path.write_text(text)
    return path


def explained(config: Path, *words: str) -> Result:
    """In this process, as a process of its own takes a second."""
    environ = {name: None for name in os.environ if name.startswith(("KAKAOCLOUD_", "OS_"))}
    return CliRunner().invoke(broker, ["explain", "--config", str(config), *BROKER, *words], env=environ)


def told(config: Path, *words: str) -> tuple[int, list[str]]:
    """The exit code, and the lines before what was supposed."""
    result = explained(config, *words)
    lines = result.stdout.splitlines()
    return result.exit_code, lines[: next(i for i, line in enumerate(lines) if line.startswith("Supposed"))]


def one(config: Path, *words: str) -> tuple[int, list[str]]:
    """On the socket, for `default`."""
    return told(config, "--listener", SOCKET, "--identity", "default", *words)
