"""What the doctor found, for tests that made something broken."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.doctor.judge.check import Check

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bridge.doctor.judge.finding import Finding


def broken(findings: Iterable[Finding]) -> set[str]:
    """The checks that found something."""
    return {str(finding.check) for finding in findings if finding.ok is False}


def found(findings: Iterable[Finding], check: str) -> Finding:
    """The finding of the one check that found something; all others are fine, or do not know."""
    findings = list(findings)
    assert broken(findings) == {check}
    (finding,) = (each for each in findings if each.ok is False)
    assert finding.problem
    assert finding.cure
    return finding


def answer(findings: Iterable[Finding], check: str) -> bool | None:
    """What a check came to; it has one finding."""
    (finding,) = (each for each in findings if each.check == Check(check))
    return finding.ok
