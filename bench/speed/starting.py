"""How long it takes to be there: the daemon until its first answer, and the command that prints a token."""

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from bench.speed import goals
from bench.speed.asking import answered
from bench.speed.bench import Bench
from bench.speed.contenders import OURS
from bench.speed.daemon import COMMAND, broker, request, write_settings
from bench.speed.emulator import Emulator, emulator
from bench.speed.figures import Figure
from bench.speed.processes import Failed, Word, ran, started

_COLD_ROUNDS, _QUICK_COLD_ROUNDS = 10, 3
_CLI_ROUNDS, _QUICK_CLI_ROUNDS = 15, 5
_WITHIN = 60.0  # seconds
_LIBRARY = (sys.executable, "-c", "import aiohttp.web")
_NOTHING = (sys.executable, "-c", "pass")


def cold_start(bench: Bench) -> Iterator[Figure]:
    """From its execution to the first answer of `/livez`, beside a Python that loads the library."""
    rounds = _QUICK_COLD_ROUNDS if bench.quick else _COLD_ROUNDS
    with emulator() as iam:
        _until_alive(bench, iam)  # the disk's cache is as warm for the first as for all others
        its, others = _interleaved(rounds, lambda: _until_alive(bench, iam), lambda: _wall(_LIBRARY))
    yield Figure("cold start", OURS, "ms", its, "import aiohttp.web", others, goals.COLD_START)


def token_command(bench: Bench) -> Iterator[Figure]:
    """The whole of `broker token`, beside a Python that does nothing."""
    command = (Path(sys.executable).with_name("broker"), "token")
    with emulator() as iam, broker(bench.new_folder(), iam) as up:
        own = {"KAKAOCLOUD_BROKER_URL": f"unix://{up.socket}"}
        rounds = _QUICK_CLI_ROUNDS if bench.quick else _CLI_ROUNDS
        its, others = _interleaved(rounds, lambda: _wall(command, own), lambda: _wall(_NOTHING))
    yield Figure("broker token", OURS, "ms", its, "python -c pass", others, goals.TOKEN_COMMAND)


def _interleaved(
    rounds: int, its: Callable[[], float], others: Callable[[], float]
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    found: tuple[list[float], list[float]] = ([], [])
    for number in range(rounds):
        for which in (0, 1) if number % 2 else (1, 0):
            found[which].append((its, others)[which]())
    return tuple(found[0]), tuple(found[1])


def _wall(command: Sequence[Word], own: Mapping[str, str] | None = None) -> float:
    """Milliseconds of a command as a whole."""
    began = time.monotonic()
    ran(command, within=_WITHIN, own=own)
    return (time.monotonic() - began) * 1000


def _until_alive(bench: Bench, iam: Emulator) -> float:
    """Milliseconds from the execution of a new broker to its first 200."""
    folder = bench.new_folder()
    folder.mkdir()
    file = write_settings(folder, iam, {"default": iam.key})
    asked = request("/livez")
    with (folder / "log").open("wb") as log:
        began = time.monotonic()
        with started([*COMMAND, "run", "--config", file], stdout=log, stderr=log) as child:
            while not answered(folder / "b.sock", asked):
                if child.poll() is not None or time.monotonic() - began > _WITHIN:
                    raise Failed(f"the broker did not start: {(folder / 'log').read_text()[-1500:]}")
                time.sleep(0.001)
            return (time.monotonic() - began) * 1000
