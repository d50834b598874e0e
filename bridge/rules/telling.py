"""How much of a message devices are told."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from bridge.model import Flag
from bridge.rules.hide import Hide

if TYPE_CHECKING:
    from bridge.model import Header
    from bridge.rules.alert import Alert
    from bridge.rules.rules import Rules

HIDDEN = "…"
"""What stands for a subject that is not told: it was cut to nothing (docs/protocol.md, "Header")."""


def told(rules: Rules, header: Header, alert: Alert) -> Header:
    """The header as devices get it: flagged when it is silent, without what the user hides."""
    if alert.silent:
        header = replace(header, flags=header.flags | Flag.SILENT)
    if rules.hide is not Hide.NOTHING:
        header = replace(header, snippet="")
    if rules.hide is Hide.SUBJECT:
        header = replace(header, subject=HIDDEN)
    return header
