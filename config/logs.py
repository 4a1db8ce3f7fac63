"""Logs: JSON lines in production, readable on a terminal, ids and never content."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable

import structlog

#: Libraries whose info lines tell an operator nothing, or could show a message's body.
QUIET = ("celery", "kombu", "botocore", "boto3", "urllib3", "amqp")


def configure_logs(*, log_format: str, level: str, add: Iterable[structlog.typing.Processor] = ()) -> None:
    """Send structlog and the standard library's logging to standard error, in one format.

    `log_format` is `json`, `console` or `auto` (console on a terminal, else JSON); `add` adds to every line.
    """
    as_json = is_json(log_format)
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        *add,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=_last(as_json=as_json))
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))


def is_json(log_format: str) -> bool:
    """Whether lines are for a program: by `log_format`, or where standard error is no terminal."""
    return log_format == "json" or (log_format == "auto" and not sys.stderr.isatty())


def _last(*, as_json: bool) -> list[structlog.typing.Processor]:
    drop = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    if as_json:
        return [drop, structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    # Plain tracebacks: the pretty ones print local variables, and those hold content.
    return [drop, structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
