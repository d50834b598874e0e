"""What commands ask of whoever publishes for the users of a store: a bridge that runs here, or all at a database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bridge.daemon import control, runfile
from bridge.errors import PostbellError

if TYPE_CHECKING:
    from bridge.config.settings import Settings


def may_answer(settings: Settings) -> bool:
    """Whether there is somebody to ask: at a database that is known only when they answer."""
    return bool(settings.store.url) or runfile.running(settings.run_dir, runfile.BRIDGE)


def reconcile(settings: Settings, *, dry_run: bool, deadline_s: float = control.ANSWER_DEADLINE_S) -> dict[str, int]:
    """Have the brokers compared with the store, and repaired unless `dry_run`; what was found, for all users.

    Raises ControlError.
    """
    request = {"do": "reconcile", "dry_run": dry_run}
    if not settings.store.url:
        return control.ask(settings.run_dir, request, deadline_s=deadline_s)
    answers = _asked(settings.store.url, request, deadline_s=deadline_s, of_all=True)
    return {key: sum(each[key] for each in answers) for key in ("missing", "different", "stale", "held")}


def folders(settings: Settings, *, deadline_s: float) -> list[dict[str, Any]]:
    """How each folder of a mailbox goes that is followed by anybody; raises ControlError."""
    request = {"do": "mailboxes"}
    if not settings.store.url:
        found: list[dict[str, Any]] = control.ask(settings.run_dir, request, deadline_s=deadline_s)["folders"]
        return found
    answers = _asked(settings.store.url, request, deadline_s=deadline_s, of_all=False)
    return [folder for each in answers for folder in each["folders"]]


def _asked(url: str, request: dict[str, Any], *, deadline_s: float, of_all: bool) -> list[dict[str, Any]]:
    from bridge.shards import asking  # noqa: PLC0415 - psycopg, for those who have such a store

    try:
        answers = asking.ask(url, request, patience_s=deadline_s)
        if of_all:
            asking.require_all(answers)
    except PostbellError as error:
        raise control.ControlError(str(error)) from error
    return [each.answer for each in answers]
