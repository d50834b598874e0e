"""Who sends, signed: a token that others can check, for one push service and some hours."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from bridge.push import signing, writing
from tests.support.push_service import Post, base64url, claims_of, point_of

NOW_S = 1_780_000_000


def signed(subject="mailto:root@example.org"):
    private = signing.private_key(writing.fresh_number())
    token = signing.token("https://push.example.net", subject=subject, now_s=NOW_S, private=private)
    field = signing.authorization(token, signing.public_text(private))
    return private, claims_of(Post("/", {"Authorization": field}, b""))


def test_a_token_says_for_whom_until_when_and_who_is_to_be_asked():
    private, claims = signed()
    assert claims == {
        "aud": "https://push.example.net",
        "exp": NOW_S + 12 * 3600,
        "sub": "mailto:root@example.org",
        "k": base64url(point_of(private)),
    }
    assert "sub" not in signed("")[1], "an empty one is refused by some"


def test_a_key_is_the_same_from_its_number():
    number = writing.fresh_number()
    assert len(number) == 32
    assert signing.public_text(signing.private_key(number)) == signing.public_text(signing.private_key(number))
    one = signing.private_key(bytes(31) + b"\1")
    assert one.private_numbers().private_value == 1, "also one that begins with zeros"
    assert isinstance(one, ec.EllipticCurvePrivateKey)


@pytest.mark.parametrize(
    ("endpoint", "origin"),
    [
        ("https://push.example.net/send/abc?x=1", "https://push.example.net"),
        ("https://push.example.net:443/send", "https://push.example.net"),
        ("https://push.example.net:8443", "https://push.example.net:8443"),
        ("https://[2001:db8::1]:8443/x", "https://[2001:db8::1]:8443"),
    ],
)
def test_a_token_is_for_an_origin(endpoint, origin):
    assert signing.origin(endpoint) == origin
