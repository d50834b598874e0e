"""What an opaque S/MIME message holds: read where it is only signed, whole or cut, in DER or BER."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs7
from hypothesis import given
from hypothesis import strategies as st

from bridge.mail import cms, content
from bridge.model import Flag
from tests.unit.bridge.mail.clean import read

INNER = (
    b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
    b"--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nGr\xc3\xbc\xc3\x9fe\r\n"
    b"--b\r\nContent-Type: application/pdf; name=a.pdf\r\n\r\nx\r\n--b--\r\n"
)


@pytest.fixture(scope="module")
def signed():
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "nora")])
    now = datetime(2025, 4, 10, tzinfo=UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=1))
    certificate = builder.sign(key, hashes.SHA256())
    signer = pkcs7.PKCS7SignatureBuilder().set_data(INNER).add_signer(certificate, key, hashes.SHA256())
    return signer.sign(serialization.Encoding.DER, [pkcs7.PKCS7Options.Binary])


def ber(tag: int, *pieces: bytes) -> bytes:
    """An element whose length is not told: a mark ends it."""
    return bytes([tag, 0x80]) + b"".join(pieces) + b"\0\0"


def der(tag: int, value: bytes) -> bytes:
    return bytes([tag, 0x82]) + len(value).to_bytes(2) + value


def streamed(data: bytes) -> bytes:
    """Signed data as programs write it that do not know its length before."""
    pieces = [der(0x04, data[at : at + 40]) for at in range(0, len(data), 40)]
    content_info = ber(0x30, der(0x06, cms.SIGNED[:-1] + b"\x01"), ber(0xA0, ber(0x24, *pieces)))
    digests = ber(0x31, ber(0x30, der(0x06, b"\x60\x86")))
    return ber(0x30, der(0x06, cms.SIGNED), ber(0xA0, ber(0x30, der(0x02, b"\x01"), digests, content_info)))


def mail(data: bytes, parameters: str = "; smime-type=signed-data; name=smime.p7m") -> bytes:
    field = (
        f"Content-Type: application/pkcs7-mime{parameters}\r\nContent-Disposition: attachment; filename=smime.p7m\r\n"
    )
    return field.encode() + b"Content-Transfer-Encoding: base64\r\n\r\n" + base64.encodebytes(data)


@pytest.mark.parametrize("parameters", ["; smime-type=signed-data; name=smime.p7m", "; name=smime.p7m", ""])
def test_what_is_only_signed_is_read(signed, parameters):
    for data in (signed, streamed(INNER)):
        raw = mail(data, parameters)
        assert read(raw).snippet == "Grüße"
        assert read(raw).flags == Flag.SIGNED | Flag.ATTACHMENT
        assert content.readable_text(raw) == "Grüße"


def test_a_start_gives_what_there_is(signed):
    for data in (signed, streamed(INNER)):
        assert cms.signed_content(data) == INNER
        for length in range(0, len(data), 7):
            assert INNER.startswith(cms.signed_content(data[:length]))


def test_other_data_holds_nothing():
    enveloped = der(0x30, der(0x06, cms.SIGNED[:-1] + b"\x03") + der(0xA0, b"x"))
    assert cms.signed_content(enveloped) == b""
    found = read(mail(enveloped, "; smime-type=enveloped-data"))
    assert (found.flags, found.snippet) == (Flag.ENCRYPTED, "")
    apart = der(
        0x30, der(0x06, cms.SIGNED) + der(0xA0, der(0x30, der(2, b"1") + der(0x31, b"") + der(0x30, der(6, b"1"))))
    )
    assert cms.signed_content(apart) == b""
    assert read(mail(apart)).flags == Flag.SIGNED
    assert read(mail(apart, "; smime-type=certs-only")).flags == Flag(0)


@given(st.binary(max_size=60), st.integers(0, 400))
def test_no_bytes_raise(noise, at):
    data = streamed(INNER)
    assert isinstance(cms.signed_content(data[:at] + noise + data[at:]), bytes)
    assert isinstance(cms.signed_content(noise), bytes)


@pytest.mark.parametrize("unit", [b"\x30\x80", b"\x04\x00", b"\xa0\x80", b"\x24\x80\x04\x01a"])
def test_nesting_ends(unit):
    start = bytes([0x30, 0x80]) + der(0x06, cms.SIGNED) + b"\xa0\x80\x30\x80\x02\x01\x01"
    assert isinstance(cms.signed_content(start + unit * 100_000), bytes)
