"""How events are written: for people on a terminal, as JSON for collectors."""

from __future__ import annotations

import functools
import json
import logging
import os
import sys
from typing import TYPE_CHECKING, Any

import structlog

from bridge.daemon import log_lines

if TYPE_CHECKING:
    from collections.abc import Mapping

PROCESS, WEB = "bridge", "web"
"""Who speaks."""

_JSON = json.JSONEncoder(default=repr)
_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40, "exception": 40}


class Verbosity:
    """From which level on events are written: `debug`, `info`, `warning` or `error`. It may change at any time."""

    def __init__(self, level: str) -> None:
        self.set(level)

    def set(self, level: str) -> None:
        """Write events of this level and above from now on."""
        self._lowest = _LEVELS[level]
        self.lets_info = self._lowest <= _LEVELS["info"]

    def __call__(self, _logger: Any, method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        """Let an event through, or raise DropEvent: the filter that structlog brings is fixed in each logger."""
        if _LEVELS[method] < self._lowest:
            raise structlog.DropEvent
        return event


def configure(*, level: str, style: str, environ: Mapping[str, str] = os.environ, process: str = PROCESS) -> Verbosity:
    """Send events to standard error, in one form whoever says them; libraries speak only when something is wrong.

    `style` is `console`, `json`, or `auto`: lines where somebody reads along. NO_COLOR (no-color.org) is heeded.
    `process` is who speaks: all write to the same standard error, and each line says whose it is.
    """
    if style == "auto":
        style = "console" if sys.stderr.isatty() else "json"
    renderer: structlog.typing.Processor = structlog.processors.JSONRenderer(_as_json)
    if style == "console":
        colors = sys.stderr.isatty() and not environ.get("NO_COLOR")
        renderer = structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=structlog.dev.plain_traceback)
    ends: list[structlog.typing.Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        functools.partial(_say_who, process),
        structlog.processors.StackInfoRenderer(),
        *([structlog.processors.format_exc_info] if style == "json" else []),
    ]
    _configure_libraries(ends, renderer)
    verbosity = Verbosity(level)
    structlog.configure(
        wrapper_class=_wrapper(verbosity, process if style == "json" else None),
        processors=[verbosity, *ends, renderer],
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),  # one write a line, where print makes two
        cache_logger_on_first_use=True,
    )
    return verbosity


def _as_json(event: structlog.typing.EventDict, **_: Any) -> str:
    """As JSONRenderer's own, by an encoder that is made once."""
    return _JSON.encode(event)


def _wrapper(verbosity: Verbosity, process: str | None) -> type[Any]:
    """Loggers that ask before anything is made of an event: a mail has three, which not everybody wants to see.

    For a `process` that speaks in JSON they write the line of a simple event themselves, while the processors are ours.
    """
    every = structlog.make_filtering_bound_logger(logging.DEBUG)

    class Asking(every):  # type: ignore[misc,valid-type] # what it is made of is made above
        def info(self, event: str, *arguments: Any, **known: Any) -> None:
            if not verbosity.lets_info:
                return
            if process is not None and not (arguments or self._context) and self._processors[0] is verbosity:
                line = log_lines.info(event, known, process=process)
                if line is not None:
                    self._logger.info(line)
                    return
            super().info(event, *arguments, **known)

    return Asking


def _configure_libraries(ends: list[structlog.typing.Processor], renderer: structlog.typing.Processor) -> None:
    """What comes by the standard library's logging is an event with its `logger`, and its text as the name."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *ends],
        )
    )
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("mail.log").setLevel(logging.ERROR)


def _say_who(process: str, _logger: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    event["process"] = process
    return event
