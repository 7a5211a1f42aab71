"""One way of logging everywhere: a line an event, JSON for programs, plain for people, each about its job.

Uvicorn, Celery and whatever else uses `logging` go through the same formatter. Nothing that a client sends
can begin a line of its own: JSON escapes it, and the plain form does so here.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol, TextIO

import structlog
from structlog.contextvars import bind_contextvars, bound_contextvars, merge_contextvars
from structlog.stdlib import BoundLogger, ProcessorFormatter
from structlog.typing import EventDict, Processor, WrappedLogger

from vo.errors import ConfigError

LEVELS = ("debug", "info", "warning", "error")
"""What VO_LOG_LEVEL may be."""

FORMS = ("auto", "json", "text")
"""What VO_LOG_FORMAT may be; `auto` is text on a terminal and JSON elsewhere."""

LONGEST = 2_000
"""Characters of one value at the most; an error of a database may carry a whole query."""

_FIRST = ("timestamp", "level", "event")


class Loggable(Protocol):
    """What a line tells of the job that it is about."""

    @property
    def id(self) -> str:
        """Its identifier."""
        ...

    @property
    def kind(self) -> str:
        """The name of its kind."""
        ...

    @property
    def lane(self) -> str:
        """The lane it runs on."""
        ...

    @property
    def owner(self) -> str | None:
        """The name of its owner."""
        ...


def logger(name: str) -> BoundLogger:
    """The logger of a module: `log.info("job ended", rows=5)`, in words and values.

    It works, through `logging`, whether or not `configure` was called.
    """
    bound: BoundLogger = structlog.wrap_logger(
        logging.getLogger(name), processors=_OURS, wrapper_class=BoundLogger, cache_logger_on_first_use=True
    )
    return bound


def configure(level: str, form: str, stream: TextIO | None = None) -> None:
    """Write every log of this process, ours and others', to `stream` (default: stderr) in one form."""
    stream = sys.stderr if stream is None else stream
    for name, value, known in (("VO_LOG_LEVEL", level, LEVELS), ("VO_LOG_FORMAT", form, FORMS)):
        if value not in known:
            raise ConfigError(f"{name} must be one of {', '.join(known)}, not {value!r}.")
    is_text = form == "text" or (form == "auto" and stream.isatty())
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        ProcessorFormatter(
            foreign_pre_chain=_FOREIGN,
            processors=[
                ProcessorFormatter.remove_processors_meta,
                *(_text(has_colours=stream.isatty()) if is_text else _JSON),
            ],
        )
    )
    logging.root.handlers = [handler]
    ours = logging.getLogger("vo")
    ours.setLevel(level.upper())
    logging.root.setLevel(max(logging.WARNING, ours.level))  # libraries chatter
    logging.captureWarnings(capture=True)


@contextmanager
def about(job: Loggable) -> Iterator[None]:
    """Have every line of the block name the job; a thread begun there needs a copy of the context."""
    with bound_contextvars(**_facts(job)):
        yield


def is_about(job: Loggable) -> None:
    """Have every further line of this request name the job."""
    bind_contextvars(**_facts(job))


def _facts(job: Loggable) -> Mapping[str, Any]:
    facts = {"job_id": job.id, "kind": job.kind, "lane": job.lane, "owner": job.owner}
    return {name: value for name, value in facts.items() if value is not None}


def _bounded(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    return {name: _cut(value) if isinstance(value, str) else value for name, value in event.items()}


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}… ({len(text):,} characters)"


def _with_process(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    return {**event, "pid": os.getpid()}


def _in_order(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    return {**{name: event[name] for name in _FIRST if name in event}, **event}


def _on_one_line(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Escape what could end a line or steer a terminal; the lines of a traceback are marked as such."""
    trace = event.pop("exception", None)
    shown = {name: _printable(value) if isinstance(value, str) else value for name, value in event.items()}
    if trace is not None:
        shown["exception"] = "\n".join(f"  | {_printable(line)}" for line in trace.split("\n"))
    return shown


def _printable(text: str) -> str:
    r"""`text` without line breaks and control characters, of which only the escapes remain.

    >>> print(_printable("a\nb\x1b[2J"))
    a\nb\x1b[2J
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _text(*, has_colours: bool) -> tuple[Processor, ...]:
    plain = structlog.dev.plain_traceback
    return (_on_one_line, structlog.dev.ConsoleRenderer(colors=has_colours, exception_formatter=plain))


_JSON: tuple[Processor, ...] = (_in_order, structlog.processors.JSONRenderer())

_FOREIGN: tuple[Processor, ...] = (
    merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    _bounded,
    structlog.processors.format_exc_info,
    _with_process,
)

_OURS: tuple[Processor, ...] = (
    structlog.stdlib.filter_by_level,
    *_FOREIGN,
    ProcessorFormatter.wrap_for_formatter,
)
