"""Logs: one line an event, JSON for machines or plain for people, on stderr, or an entry of systemd's journal; with a second net
for secrets.

The first net is the type `Secret`, which cannot be printed. The second, `redaction`, cuts whatever looks like a secret out
of every line, whoever wrote it. Tracebacks never show local variables: those hold what the types protect. `strays` brings
here what the interpreter would write past the log.
"""

import logging
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any, Literal

import structlog

from broker.core.redaction import MASK, names_secret, redacted
from broker.observability.log_entries import LogEntries

Event = MutableMapping[str, Any]


def without_secrets(_logger: object, _method: str, event: Event) -> Event:
    """Every text of the event, whatever its depth, with what looks like a secret cut out."""
    return _cut_table(event)


def _cut_table(table: Mapping[Any, object]) -> dict[str, object]:
    return {
        redacted(name): MASK if isinstance(value, str | bytes) and names_secret(name) else _cut(value)
        for name, value in ((str(key), value) for key, value in table.items())
    }


def _cut(value: object) -> object:
    if isinstance(value, str):
        return redacted(value)
    if isinstance(value, bool | int | float | None):
        return value
    if isinstance(value, Mapping):
        return _cut_table(value)
    if isinstance(value, list | tuple):
        return [_cut(item) for item in value]
    return redacted(str(value))


def configure(level: str, form: Literal["json", "console", "journald"]) -> None:
    """Send our own events and those of the libraries through one chain, to stderr or to the journal."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        without_secrets,
    ]
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
        if form == "console"
        else structlog.processors.JSONRenderer()
    )
    handler = LogEntries() if form == "journald" else logging.StreamHandler(sys.stderr)
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
