"""`postbell serve`, `bridge`, `broker`: the processes that keep running."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from bridge.cli import options, ownership, processes
from bridge.errors import ConfigurationError
from bridge.spared import spared

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from bridge.config.settings import Settings

T = TypeVar("T")


def serve(
    context: typer.Context,
    config: options.Config = None,
    demonstrate: Annotated[
        bool, typer.Option("--demo", help="Keep everything in ./.demo, with a demo user, and say how to try it.")
    ] = False,
) -> None:
    """Run the bridge and, unless broker.embedded is off, the broker beside it."""
    from bridge.cli import demo  # noqa: PLC0415 - help does without

    environment = demo.environment(Path.cwd()) if demonstrate else {}
    os.environ.update(environment)  # the broker's process reads the same overrides
    settings = _owned(context, config)
    ready: Callable[[], None] = lambda: None  # noqa: E731 - the quiet case of the next line
    if demonstrate:
        ready = demo.announcer(settings)
    _run(settings, config=options.chosen(context, config), with_broker=settings.broker.embedded, ready=ready)


def bridge(context: typer.Context, config: options.Config = None) -> None:
    """Run the bridge alone: SMTP and LMTP in, MQTT out."""
    settings = _owned(context, config)
    _run(settings, config=options.chosen(context, config), with_broker=False, ready=lambda: None)


def broker(context: typer.Context, config: options.Config = None) -> None:
    """Run the embedded MQTT broker alone."""
    from bridge.config import judging  # noqa: PLC0415 - help does without

    _owned(context, config)
    chosen = options.chosen(context, config)
    judging.refuse(chosen)  # the broker itself would tell those of its own sections only, and without their lines
    arguments = [] if chosen is None else ["--config", str(chosen)]
    processes.become("broker", *arguments)


def _owned(context: typer.Context, config: Path | None) -> Settings:
    """The configuration, for whoever owns the state directory or makes it."""
    try:
        settings = options.settings(context, config)
    except ConfigurationError as error:
        _explain(error, options.chosen(context, config))
        raise
    ownership.require(settings.state_dir)
    return settings


def _explain(error: BaseException, config: Path | None) -> None:
    """Tell every mistake in the configuration with the one that is the end of it."""
    from bridge.cli import mistakes  # noqa: PLC0415 - all is well mostly

    mistakes.explain(error, config)


def _run(settings: Settings, *, config: Path | None, with_broker: bool, ready: Callable[[], None]) -> None:
    with spared("rich"):  # which would draw tracebacks in colours, for 4 MB
        import structlog  # noqa: F401, PLC0415 - here for the first time
    from bridge.daemon import logs, process  # noqa: PLC0415 - help does without, and it takes a third of a second

    verbosity = logs.configure(level=settings.log.level, style=settings.log.format)
    try:
        run_loop(process.serve(settings, config=config, with_broker=with_broker, ready=ready, verbosity=verbosity))
    except BaseException as error:
        _explain(error, config)
        raise


def run_loop(work: Coroutine[Any, Any, T]) -> T:
    """What an event loop of its own makes of a coroutine."""
    import asyncio  # noqa: PLC0415 - as above

    import uvloop  # noqa: PLC0415

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)
