"""Logs: one line an event, JSON for machines or plain for people, on stderr, with a second net for secrets.

The first net is the type `Secret`, which cannot be printed. The second cuts whatever looks like a token out of every
line, whoever wrote it. Tracebacks never show local variables: those hold what the types protect.
"""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, Literal

import structlog

# A Fernet token, as Keystone issues them.
_TOKEN = re.compile(r"gAAAAA[A-Za-z0-9_-]{20,}={0,2}")
_MASK = "***"

Event = MutableMapping[str, Any]


def without_tokens(_logger: object, _method: str, event: Event) -> Event:
    """Every text of the event, whatever its depth, with tokens cut out."""
    return {_TOKEN.sub(_MASK, str(key)): _cut(value) for key, value in event.items()}


def _cut(value: object) -> object:
    if isinstance(value, str):
        return _TOKEN.sub(_MASK, value)
    if isinstance(value, bool | int | float | None):
        return value
    if isinstance(value, dict):
        return {_TOKEN.sub(_MASK, str(key)): _cut(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_cut(item) for item in value]
    return _TOKEN.sub(_MASK, str(value))


def configure(level: str, form: Literal["json", "console"]) -> None:
    """Send our own events and those of the libraries through one chain to stderr."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        without_tokens,
    ]
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if form == "json"
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    # A line that cannot be formatted would be shown raw, with all its arguments, past both nets.
    logging.raiseExceptions = False
    logging.getLogger().handlers[:] = [handler]
    set_level(level)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def set_level(level: str) -> None:
    """From now on tell what is of this level or above, also in a broker that runs; debug, info, warning or error."""
    root = logging.getLogger()
    root.setLevel(level.upper())
    # Their routine is not our operators' news.
    for chatty in ("apscheduler", "asyncio", "aiohttp"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, root.level))
