from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.ingress.line_ends import LineEnds

LINES = st.lists(st.sampled_from([b"NOOP\r\n", b"NOOP\n", b"\n", b"\r\n", b"x\r\r\n", None]), max_size=6)


def after(lines, *, indulged):
    """The ends after these lines, of which None is one that was too long."""
    ends = LineEnds()
    for line in lines:
        if line is None:
            ends.overlong()
        else:
            ends.cut(line, indulged=indulged)
    return ends


@given(LINES)
def test_only_who_is_indulged_and_never_said_cr_lf_is_bare(lines):
    only_bare = bool(lines) and all(line is not None and not line.endswith(b"\r\n") for line in lines)
    assert after(lines, indulged=True).bare == only_bare
    assert not after(lines, indulged=False).bare


@given(LINES)
def test_a_bare_lf_is_taken_from_who_is_indulged_and_from_nobody_else(lines):
    assert after(lines, indulged=True).cut(b"NOOP\n", indulged=True) == b"NOOP"
    assert after(lines, indulged=False).cut(b"NOOP\n", indulged=False) is None


@pytest.mark.parametrize("indulged", [True, False])
@given(LINES)
def test_cr_lf_is_always_right(indulged, lines):
    assert after(lines, indulged=indulged).cut(b"NOOP \r\r\n", indulged=indulged) == b"NOOP \r"
