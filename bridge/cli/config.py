"""`postbell config check` and `config show`: what is wrong with the configuration, and what it says."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bridge.cli import options, output, ownership
from bridge.config import judging, loading
from bridge.config.brokers import BrokerSilentError
from bridge.config.brokers_keys import BROKERS_KEYS
from bridge.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from bridge.config.checking import Checked
    from bridge.config.judging import Judgement
    from bridge.config.keys import Chapter, Key
    from bridge.config.settings import Settings

FINE, WRONG = 0, 2

config_app = typer.Typer(help="The configuration: what is wrong with it, and what it says.", no_args_is_help=True)


@config_app.command("check")
def config_check(context: typer.Context, config: options.Config = None, as_json: options.AsJson = False) -> None:
    """Tell every mistake in the configuration, with its line and what cures it."""
    judgement = judged(loading.find(options.chosen(context, config)))
    if as_json:
        file = str(judgement.path) if judgement.path else None
        output.print_json({"file": file, "problems": [asdict(problem) for problem in judgement.problems]})
    else:
        typer.echo("\n".join(map(str, judgement.problems)) or f"{judgement.path or 'defaults, without a file'}: fine")
    raise typer.Exit(WRONG if judgement.problems else FINE)


def judged(path: Path | None) -> Judgement:
    """What is wrong, as the owner of the state directory sees it where root asks, with the addresses in use."""
    from bridge.config import ports  # noqa: PLC0415

    settings = loading.check(path).settings
    with ownership.acting(settings.state_dir):
        judgement = judging.judge(path)
        it = judgement.settings
        troubles = ports.troubles(it, ours=ours(it), user=_whose(it.run_dir))
    return judgement.including(ports.fault(trouble) for trouble in troubles)


def ours(settings: Settings) -> set[str]:
    """Where Postbell itself listens now, with this configuration."""
    from bridge.daemon import runfile  # noqa: PLC0415

    running = [name for name in (runfile.BRIDGE, runfile.BROKER) if runfile.running(settings.run_dir, name)]
    facts = (runfile.read(settings.run_dir, name).values() for name in running)
    return {address for values in facts for address in values if isinstance(address, str)}


def _whose(run_dir: Path) -> int | None:
    """The user that Postbell runs as, where this one may not ask it where it listens."""
    owner = ownership.somebody_else(run_dir.parent)
    return owner.uid if owner and not ownership.may_work_in(run_dir) else None


@config_app.command("show")
def config_show(
    context: typer.Context,
    config: options.Config = None,
    everything: Annotated[bool, typer.Option("--all", help="Show every key, with what it is for.")] = False,
    as_json: options.AsJson = False,
) -> None:
    """Print what differs from the defaults as a configuration file, each key with the place that it is from."""
    from bridge.config import sample  # noqa: PLC0415 - what writes keys down, for this alone
    from bridge.config.problems import masked  # noqa: PLC0415

    path = loading.find(options.chosen(context, config))
    checked = loading.check(path)
    # Where nothing is said of the broker its keys have their defaults, and none of its processes need be started.
    asked = everything or bool(checked.values.keys() & BROKERS_KEYS.keys())
    chapters, values = _shown(path, checked, with_brokers=asked)
    shown = [key for key in _every(chapters) if everything or values[key.name] != key.default]
    places = {key.name: checked.source.place(tuple(key.name.split("."))) for key in shown}
    told = {key.name: masked(values[key.name], key=key.name) for key in shown}
    if as_json:
        output.print_json([_as_object(key, told[key.name], places[key.name]) for key in shown])
    else:
        written = sample.written(chapters, told, places, explained=everything)
        typer.echo(written.rstrip("\n") or "# nothing differs from the defaults")


def _shown(path: Path | None, checked: Checked, *, with_brokers: bool) -> tuple[tuple[Chapter, ...], dict[str, Any]]:
    """All keys, and their values; raises ConfigurationError, with every mistake of bridge and broker."""
    from bridge.config import keys  # noqa: PLC0415

    try:
        if not checked.problems:
            return keys.shown(checked.settings, checked.values, with_brokers=with_brokers)
    except BrokerSilentError:
        if not judging.judge(path).problems:
            raise
    raise ConfigurationError("\n".join(map(str, judging.judge(path).problems)))


def _every(chapters: Iterable[Chapter]) -> list[Key]:
    return [key for chapter in chapters for key in chapter.keys]


def _as_object(key: Key, value: object, place: str) -> dict[str, Any]:
    return {
        "key": key.name,
        "value": value,
        "from": place,
        "default": key.default,
        "type": key.kind,
        "meaning": key.meaning,
    }
