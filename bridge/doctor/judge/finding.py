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
    says which, and `cure` what would let it be known, if anything would. Where all is fine both are empty, or
    `problem` is a remark. With a `cure` beside it, what works now will not for long, or not for everybody.
    """

    check: Check
    ok: bool | None
    problem: str = ""
    cure: str = ""


def fine(check: Check, remark: str = "") -> Finding:
    """Nothing to mend."""
    return Finding(check, ok=True, problem=remark)


def warned(check: Check, problem: str, cure: str) -> Finding:
    """It works, and this is what to do before it does not."""
    return Finding(check, ok=True, problem=problem, cure=cure)


def broken(check: Check, problem: str, cure: str) -> Finding:
    """Something is wrong, and this is what to do."""
    return Finding(check, ok=False, problem=problem, cure=cure)


def unknown(check: Check, problem: str, cure: str = "") -> Finding:
    """It does not apply here, or there is no telling."""
    return Finding(check, ok=None, problem=problem, cure=cure)
