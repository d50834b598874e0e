"""A sender is authenticated when a trusted server's own result says so, and by nothing that he wrote himself."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.mail.authentication import LONGEST, passes
from tests.support.processor import least_s

OURS = frozenset({"mx.example.org"})


def authenticated(results: bytes) -> bool:
    return passes((b"mx.example.org" + results,), OURS)


@pytest.mark.parametrize(
    "results",
    [
        b"; dmarc=pass",
        b" 1; dmarc=pass",
        b"; DMARC=Pass;",
        b";dmarc/1 = pass",
        b"; dmarc=pass; dmarc=pass",
        b"(a); (b) dmarc (c) / (d) 1 (e) = (f) pass (g) header (h) . (i) from (j) = (k) a.example (l)",
        b"; dmarc=pass(p=REJECT) header.from=a.example;",
        b"; spf=none smtp.mailfrom= smtp.helo=a; dmarc=pass action=none header.from=a; compauth=pass reason=100",
        b'; dkim=pass (2048-bit key) reason="good; (very" header.b="ab/c+d="; dmarc=pass',
        b'; spf=pass smtp.mailfrom="a;dmarc=fail"@a.example; dmarc=pass',
        b"; spf=pass smtp.mailfrom=<SRS0=63fc=V7=a.example=b@c.example>; dkim=pass header.b=ab/c+; dmarc=pass",
        rb"; spf=pass (a\) (b \( c) ; d); dmarc=pass",
        b"; dmarc=pass policy.published-domain-policy=none\r\n\t(p=none,d.eval=none) header.from=a",
    ],
)
def test_a_pass_of_dmarc(results):
    assert authenticated(results)


@pytest.mark.parametrize(
    "results",
    [
        b"",
        b"; none",
        b"; spf=pass",
        b"; dmarc=passed",
        b"; dmarc=pass-ish",
        b"; dmarc=pass@evil.example",
        b"; dmarc=pass/x",
        b'; dmarc="pass"',
        b"; x-dmarc=pass",
        b"; dmarc/2=pass",
        b" 2; dmarc=pass",
        b" x; dmarc=pass",
        b"=x; dmarc=pass",
        b"dmarc=pass",
        b"; dmarc=fail; dmarc=pass",
        b"; dmarc=pass; dmarc=fail",
        b"; spf=fail smtp.mailfrom=a;dmarc=pass@evil.example",
        b"; spf=fail smtp.mailfrom=a;dmarc=pass b@evil.example",
        b"; dmarc=pass; from=",
        b"; dmarc=pass; spf",
        b"; dmarc=pass;; spf=pass",
        b"; dmarc=pass header.from",
        b"; dmarc=pass header.from=a b",
        b"; dmarc=pass\x0cheader.from=a",
        rb"; spf=pass (a\); dmarc=pass); dmarc=fail",
        b"; spf=pass (a ; dmarc=pass",
        b"; spf=pass (a ; dmarc=pass \\",
        b"; dmarc=pass (a",
        b"; dmarc=pass a)",
        b'; spf=pass (helo=") reason="; dmarc=pass;"',
        b'; spf=pass reason="a ; dmarc=pass',
        rb'; spf=pass reason="a\"; dmarc=pass; b=\""; dmarc=fail',
        b"; spf=fail" + b"(" * 25 + b"; dmarc=pass" + b")" * 25,
        b"; dmarc=pass; spf=pass smtp.helo=" + b"a" * LONGEST,
    ],
)
def test_anything_else(results):
    assert not authenticated(results)


@pytest.mark.parametrize(
    ("fields", "authentic"),
    [
        ((b"other.example; dmarc=fail", b"mx.example.org; dmarc=pass"), True),
        ((b"(unread", b"mx.example.org; dmarc=pass"), True),
        ((b"", b"mx.example.org; dmarc=pass"), True),
        ((b"MX.example.org; dmarc=fail", b"mx.example.org; dmarc=pass"), False),
        ((b"mx.example.org; (unread", b"mx.example.org; dmarc=pass"), False),
        ((b"mx.example.org; spf=pass", b"mx.example.org; dmarc=pass"), False),
        ((b"mx.example.org", b"mx.example.org; dmarc=pass"), False),
        ((b'"mx.example.org"; dmarc=pass',), False),
        ((b"mx.example.org.evil.example; dmarc=pass",), False),
    ],
)
def test_the_topmost_field_of_a_trusted_server_decides(fields, authentic):
    assert passes(fields, OURS) is authentic
    assert not passes(fields, frozenset())


words = st.text("abcdefghij0123456789-", min_size=1, max_size=12).map(str.encode)
anything = st.lists(st.sampled_from([*'();"\\= .@a', "dmarc=pass", "; dmarc=pass", "\r\n "])).map(
    lambda pieces: "".join(pieces).encode()
)


def as_comment(text: bytes) -> bytes:
    return b"(" + b"".join(b"\\" + bytes([byte]) if byte in b'()\\"' else bytes([byte]) for byte in text) + b")"


def as_string(text: bytes) -> bytes:
    return b'"' + text.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


results = st.builds(
    lambda method, result, said, name, value: b"%s=%s %s smtp.%s=%s" % (method, result, said, name, value),
    words.map(lambda word: b"x" + word), words, anything.map(as_comment), words, anything.map(as_string),
)  # fmt: skip


@given(st.lists(results, max_size=4), st.lists(results, max_size=4), st.sampled_from([b"pass", b"fail"]))
def test_nothing_that_is_quoted_or_commented_changes_the_result(before, behind, result):
    field = b"; ".join([b"", *before, b"dmarc=" + result, *behind])
    assert authenticated(field) is (result == b"pass")


@given(anything, anything, st.sampled_from([b"fail", b"none", b"temperror"]))
def test_whatever_stands_beside_a_failure_it_is_none_the_less(before, behind, result):
    """Unquoted it may make the field unreadable or hide the failure in what it opens, but not pass for a pass."""
    field = b"; spf=pass (%s) smtp.mailfrom=%s; dmarc=%s" % (before.translate(None, b'()\\"'), b"a", result)
    assert not authenticated(field + as_comment(behind))
    assert not authenticated(field + b" reason=" + as_string(behind))
    assert not authenticated(field + b" smtp.helo=" + behind.translate(None, b'()\\"'))


@given(anything)
def test_a_field_that_ends_within_something_says_nothing(rest):
    unopened = rest.translate(None, b'()\\"')
    assert not authenticated(b"; dmarc=pass (" + unopened)
    assert not authenticated(b'; dmarc=pass reason="' + unopened)


@given(st.binary(max_size=200))
def test_any_bytes_are_read(value):
    assert passes((value, b"mx.example.org" + value), OURS) in {True, False}


@pytest.mark.parametrize("start", [b"", b"mx.example.org", b"mx.example.org; a=b", b"mx.example.org; a=b c="])
@pytest.mark.parametrize(
    "unit", [b"(", b"()", b"(a", b"(()", b"( ) ", b'"\\"', b'""', b"; a=b", b" a=b", b' a="b"', b"a.", b"(((((()()"]
)
def test_it_costs_linear_time(start, unit):
    value = (start + unit * LONGEST)[:LONGEST]
    assert least_s(lambda: passes((value,) * 30, OURS), bound_s=0.5) < 0.5  # measured below 0.01
