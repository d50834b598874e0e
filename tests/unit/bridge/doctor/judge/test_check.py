"""Every check is explained on the page, and each failure that the doctor claims to find is caused in a test."""

from __future__ import annotations

import ast
import re

from bridge.doctor.judge.check import Check
from tests.support import source

NEVER_BROKEN = {"clock.synchronised", "mailbox.tells"}
"""What these say is for people to judge."""
PAGE = source.ROOT / "docs" / "troubleshooting.md"


def explained():
    """The checks of the page's tables in their order."""
    tables = PAGE.read_text("utf-8").partition("## Configuration")[2]
    rows = re.findall(r"^\| (`[^|]*`) \| .+ \| .+ \|$", tables, re.MULTILINE)
    return [check for row in rows for check in re.findall(r"`([a-z_.]+)`", row)]


def caused():
    """What tests call the failure that they caused: what is `found`, a member of what is broken, or of CAUSED."""
    for path in (source.ROOT / "tests").rglob("test_doctor_*.py"):
        yield from named_in(path)
    for path in (source.ROOT / "tests" / "unit" / "bridge" / "doctor").rglob("test_*.py"):
        yield from named_in(path)


def named_in(path):
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        match node:
            case ast.Call(func=ast.Name(id="found"), args=[_, ast.Constant(value=check)]):
                yield check
            case ast.Subscript(slice=ast.Constant(value=str(check))):
                yield check
            case ast.Assign(targets=[ast.Name(id="CAUSED")], value=ast.Dict(keys=keys)):
                yield from (key.value for key in keys if isinstance(key, ast.Constant))


def test_every_check_is_explained_on_the_page_in_the_order_of_the_walk():
    assert explained() == [str(check) for check in Check]


def test_each_failure_is_caused_in_a_test():
    assert set(Check) - set(caused()) - NEVER_BROKEN == set()


def test_what_never_is_broken_is_a_check():
    assert set(Check) >= NEVER_BROKEN


def test_a_hop_is_what_stands_before_the_dot():
    assert Check.OWNER.hop == "user"
    assert Check.CONFIGURATION.hop == "configuration"
