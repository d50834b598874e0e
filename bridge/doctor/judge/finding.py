"""What a check came to: fine, broken and how to cure it, or not to be known here. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bridge.doctor.judge.check import Check


@dataclass(frozen=True, slots=True)
class Finding:
    """One answer of one check; a check that found several things broken gives one for each.

    `ok` is None where the check does not apply here, or where its answer could not be known: `problem`
    says which, and `cure` what would let it be known, if anything would. Both are empty where all is fine.
    """

    check: Check
    ok: bool | None
    problem: str = ""
    cure: str = ""


def fine(check: Check) -> Finding:
    """Nothing to say."""
    return Finding(check, ok=True)


def broken(check: Check, problem: str, cure: str) -> Finding:
    """Something is wrong, and this is what to do."""
    return Finding(check, ok=False, problem=problem, cure=cure)


def unknown(check: Check, problem: str, cure: str = "") -> Finding:
    """It does not apply here, or there is no telling."""
    return Finding(check, ok=None, problem=problem, cure=cure)
