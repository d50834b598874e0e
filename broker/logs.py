"""How events are written: for people on a terminal, as JSON for collectors; the same as the bridge writes them."""

from __future__ import annotations

import logging
import os
import sys
from typing import TYPE_CHECKING, Any

import structlog

if TYPE_CHECKING:
    from collections.abc import Mapping

PROCESS = "broker"
"""Who speaks: the bridge writes to the same standard error, and each line says whose it is."""

_CHATTY = ("amqtt", "websockets", "transitions")  # what matters of theirs is logged as events of ours


def configure(*, level: str, style: str, environ: Mapping[str, str] = os.environ) -> None:
    """Send events to standard error. `style` is `console`, `json`, or `auto`: lines where somebody reads along."""
    colors = sys.stderr.isatty() and not environ.get("NO_COLOR")
    pretty = style == "console" or (style == "auto" and sys.stderr.isatty())
    renderer: structlog.typing.Processor = structlog.processors.JSONRenderer()
    if pretty:
        renderer = structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=structlog.dev.plain_traceback)
    ends: list[structlog.typing.Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _say_who,
        *([] if pretty else [structlog.processors.format_exc_info]),
    ]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *ends],
        )
    )
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    for chatty in _CHATTY:
        logging.getLogger(chatty).setLevel(logging.CRITICAL)
    structlog.configure(
        processors=[*ends, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
    )


def _say_who(_logger: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    event["process"] = PROCESS
    return event
