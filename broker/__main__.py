"""`python -m broker`: the embedded broker as a process of its own."""

from __future__ import annotations

import argparse
import functools
import gc
import resource
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from broker.edge import FINE, report
from broker.loading import load
from broker.spared import spared

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from broker.settings import Settings

_COLLECT = (500, 2, 1000)  # objects until a collection of the young, and of these until one of the next generation


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until stopped: 0 when told to stop, 1 on failure, 2 on wrong usage or configuration, 130 when interrupted."""
    options = _parser().parse_args(arguments)
    try:
        settings = load(options.config)
        _run(settings, again=functools.partial(load, options.config), parent_pipe=options.parent_pipe)
        sys.stdout.flush()
    except BaseException as error:  # noqa: BLE001 - this is where everything ends
        return report(error)
    return FINE


def _run(settings: Settings, *, again: Callable[[], Settings], parent_pipe: bool) -> None:
    with spared("rich"):  # which would draw tracebacks in colours, for 4 MB
        import structlog  # noqa: F401, PLC0415 - here for the first time
    import asyncio  # noqa: PLC0415 - all of this is for who serves: others only ask about the configuration

    import uvloop  # noqa: PLC0415

    from broker import logs  # noqa: PLC0415
    from broker.app import serve  # noqa: PLC0415

    logs.configure(level=settings.log.level, style=settings.log.format)
    _raise_file_limit()
    # A collection stops the loop: as Python has it, for as long as hundreds of messages take when many connect at once.
    # Hardly anything here is garbage in a circle, so there may be few objects at a time, and all of them seldom.
    gc.set_threshold(*_COLLECT)
    gc.freeze()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(settings, load=again, parent_pipe=parent_pipe))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m broker", description="Run Postbell's embedded MQTT broker.")
    parser.add_argument("--config", type=Path, metavar="FILE", help="configuration file (TOML)")
    parser.add_argument("--parent-pipe", action="store_true", help="stop when standard input ends")
    return parser


def _raise_file_limit() -> None:
    """Each connection needs a file descriptor; take as many as the system gives."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


if __name__ == "__main__":
    sys.exit(main())
