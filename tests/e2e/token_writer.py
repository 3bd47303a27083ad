"""A writer of a token file at full speed, to be killed at any moment; the broker's own task, threads and disk.

    python token_writer.py FILE TEMPLATE

Each token says itself when it ends, on CLOCK_BOOTTIME; the next one is written as soon as one is in the file.
"""

import asyncio
import itertools
import logging
import sys
from dataclasses import replace
from pathlib import Path

import structlog

from broker.clock import BootClock
from broker.core.lease import State
from broker.core.model import Held
from broker.core.secret import Secret
from broker.core.timing import span
from broker.sinks.sink import Sink
from broker.sinks.token_file import TokenFile
from tests.core.builders import fresh, token

LIFE = 30.0  # seconds: a start takes one, on a busy machine


async def main(path: Path, template: Path) -> None:
    """Write until killed."""
    clock = BootClock()
    sink = Sink(TokenFile(path, "default", "", template=template), clock)
    kept = fresh("key-1")
    for number in itertools.count():
        lived = span(clock.now(), LIFE, 0.5)
        value = Secret(f"{number}:{lived.deadline:.6f}")
        held = Held(replace(token(), value=value, digest=value.sha256()), lived)
        kept = replace(kept, state=State.HELD, held=held)
        sink.follow(kept)
        if not number:
            sink.start()
        while sink.state != "current":  # noqa: ASYNC110  (threads know nothing of events)
            await asyncio.sleep(0.0002)


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    asyncio.run(main(*map(Path, sys.argv[1:])))
