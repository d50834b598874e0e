"""`postbell user rules`: what rings for a user, and how much of a mail is told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from bridge.cli import opening, options, output
from bridge.rules.hide import Hide

if TYPE_CHECKING:
    from bridge.rules.rules import Rules

Several = list[str] | None


def user_rules(
    context: typer.Context,
    name: options.UserName,
    mute: Annotated[
        Several,
        typer.Option(metavar="PATTERN", help="Show without ringing: an address, @domain, or a list's id. Repeatable."),
    ] = None,
    remove_mute: Annotated[Several, typer.Option(metavar="PATTERN", help="Let ring again. Repeatable.")] = None,
    vip: Annotated[
        Several,
        typer.Option(metavar="PATTERN", help="Always ring, whatever the other rules say. Repeatable."),
    ] = None,
    remove_vip: Annotated[Several, typer.Option(metavar="PATTERN", help="No VIP any more. Repeatable.")] = None,
    quiet: Annotated[
        Several, typer.Option(metavar="FROM-TO", help="Quiet hours, as 22:00-07:00; with --zone. Repeatable.")
    ] = None,
    remove_quiet: Annotated[Several, typer.Option(metavar="FROM-TO", help="Take them away. Repeatable.")] = None,
    zone: Annotated[
        str | None, typer.Option(metavar="ZONE", help="The time zone of the quiet hours, as Europe/Berlin.")
    ] = None,
    hide: Annotated[
        Hide | None, typer.Option(help="Do not tell devices the snippet; or neither subject nor snippet.")
    ] = None,
    rate: Annotated[
        str | None,
        typer.Option(metavar="N/TIME", help="At most so many rings, as 20/10m; what is beyond is told as one."),
    ] = None,
    remove_rate: Annotated[bool, typer.Option("--remove-rate", help="Ring as often as mail comes.")] = False,
    clear: Annotated[bool, typer.Option("--clear", help="Take all rules away first.")] = False,
    config: options.Config = None,
    as_json: options.AsJson = False,
) -> None:
    """Show a user's rules, after changing them if told so. They hold from the next mail on."""
    from bridge.rules.change import Change  # noqa: PLC0415 - the other commands of `user` do without rules
    from bridge.rules.rules import plain  # noqa: PLC0415
    from bridge.store import rules as stored  # noqa: PLC0415

    if rate is not None and remove_rate:
        raise typer.BadParameter("--rate and --remove-rate contradict one another")
    wanted = Change(
        mute=tuple(mute or ()),
        remove_mute=tuple(remove_mute or ()),
        vip=tuple(vip or ()),
        remove_vip=tuple(remove_vip or ()),
        quiet=tuple(quiet or ()),
        remove_quiet=tuple(remove_quiet or ()),
        zone=zone,
        hide=hide,
        rate="" if remove_rate else rate,
    )
    if wanted == Change() and not clear:
        with opening.reading(context, config) as (_, connection):
            rules = stored.read(connection, name)
    else:
        with opening.changing(options.settings(context, config)) as transaction:
            rules = stored.change(transaction, name, wanted, clear=clear)
    if as_json:
        output.print_json({"user": name, **plain(rules)})
    else:
        output.print_table(("rule", "value"), _rows(rules), empty=f"no rules: all mail of {name} rings")


def _rows(rules: Rules) -> list[tuple[str, str]]:
    rows = [("mute", pattern) for pattern in rules.mute]
    rows += [("vip", pattern) for pattern in rules.vip]
    rows += [("quiet", f"{span} {rules.zone}") for span in rules.quiet]
    if rules.hide is not Hide.NOTHING:
        rows.append(("hide", rules.hide.value))
    if rules.rate:
        rows.append(("rate", str(rules.rate)))
    return rows
