"""`postbell trace`: the story of one mail, from MAIL FROM to the last device."""

from __future__ import annotations

from typing import Annotated

import typer

from bridge.cli import devices, opening, options, output, whereabouts
from bridge.cli.story import Story
from bridge.contract import ids, topics
from bridge.errors import PostbellError
from bridge.store import notifications, pairing, queues
from bridge.store import trace as tracing
from bridge.store.queues import DeliveryState


class NothingToTraceError(PostbellError):
    """No message has that id."""


def trace(
    context: typer.Context,
    words: Annotated[
        list[str],
        typer.Argument(metavar="[USER] ID", help="Whose, and which: its id, or its Message-ID field."),
    ],
    config: options.Config = None,
    as_json: options.AsJson = False,
) -> None:
    """Tell the story of one mail, from MAIL FROM to the last device, with the rule that silenced it.

    The id stands in the sender's 250, in the log (message_kept), and in the topic.
    """
    if len(words) > 2:
        raise typer.BadParameter("write an id, or a user and an id", param_hint="'[USER] ID'")
    user, sought = words[0] if len(words) == 2 else None, words[-1]
    with opening.reading(context, config) as (settings, connection):
        found = tracing.find(connection, sought, user=user)
        listings = {mail.user: pairing.list_devices(connection, mail.user) for mail in found}
        rung = [notifications.of_message(connection, mail.user, mail.number) for mail in found]
    if not found:
        whose = f"{user} has no" if user else "nobody has a"
        raise NothingToTraceError(
            f"{whose} mail {sought}; what was refused stands in the log (message_refused), "
            "and what is older than body.headers_days is forgotten"
        )
    noted, now_ms = devices.noted_visits(settings), opening.now_ms()
    for mail, pushes in zip(found, rung, strict=True):
        known = whereabouts.known(listings[mail.user], noted, now_ms=now_ms)
        names = [device.listing.username for device in known]
        topic = f"{settings.mqtt.root}/{topics.message(mail.user, ids.encode(mail.number))}"
        deliveries = dict.fromkeys(names, DeliveryState.UNKNOWN)
        if settings.broker.embedded:
            with opening.acting(settings):
                sessions = settings.state_dir / devices.SESSIONS
                deliveries = queues.deliveries(sessions, topic, names, now_ms=now_ms)
        story = Story(mail, tuple((device, deliveries[device.listing.username]) for device in known), pushes)
        if as_json:
            output.print_json(story.as_json())
        else:
            for line in story.lines():
                typer.echo(line)
