"""What is sealed: the vector of RFC 8291, another implementation that opens it, and the edge of what fits."""

from __future__ import annotations

import os

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.model import Subscription
from bridge.push import sealing
from tests.support.push_service import Device, from_base64url

# RFC 8291 §5 and Appendix A
TEXT = b"When I grow up, I want to be a watermelon"
AUTH = from_base64url("BTBZMqHH6r4Tts7J_aSIgg")
THEIRS = "q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94"
OURS = "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"
SALT = from_base64url("DGv6ra1nlYgDCS1FRnbzlw")
BODY = (
    "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_"
    "yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
)


def key(text):
    return ec.derive_private_key(int.from_bytes(from_base64url(text), "big"), ec.SECP256R1())


def fresh():
    return ec.generate_private_key(ec.SECP256R1())


def test_the_vector_of_the_rfc():
    device = Device(key(THEIRS), AUTH)
    body = sealing.seal(TEXT, device.at("https://push.example.net/x"), salt=SALT, private=key(OURS))
    assert body == from_base64url(BODY)
    assert device.opened(body) == TEXT


@given(st.binary(max_size=sealing.MOST_BYTES).filter(lambda text: not text.endswith(b"\0")), st.integers(0, 5000))
@settings(max_examples=40, deadline=None)
def test_another_implementation_opens_it(text, padded_to):
    device = Device()
    body = sealing.seal(text, device.at("x"), salt=os.urandom(16), private=fresh(), padded_to=padded_to)
    assert device.opened(body) == text
    assert len(body) == min(max(len(text), padded_to), sealing.MOST_BYTES) + sealing.OVERHEAD_BYTES <= 4096


def test_what_is_one_byte_too_long_is_refused():
    to, options = Device().at("x"), {"salt": SALT, "private": fresh()}
    assert len(sealing.seal(b"x" * 3993, to, **options)) == 4096
    with pytest.raises(ValueError, match="3994 bytes"):
        sealing.seal(b"x" * 3994, to, **options)


def test_another_device_cannot_open_it():
    body = sealing.seal(TEXT, Device().at("x"), salt=SALT, private=fresh())
    with pytest.raises(InvalidTag):
        Device().opened(body)


@pytest.mark.parametrize("point", [b"", b"\x04" + bytes(64), b"\x04" + b"\xff" * 64, b"\x05" + bytes(64)])
def test_what_is_no_point_is_known(point):
    assert not sealing.is_point(point)
    with pytest.raises(ValueError):  # noqa: PT011 - the library's own words
        sealing.seal(TEXT, Subscription("x", "x", point, AUTH), salt=SALT, private=fresh())


def test_a_point_is_known():
    assert sealing.is_point(Device().point)
