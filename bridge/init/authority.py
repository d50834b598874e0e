"""A local CA: a certificate authority of one's own, and what it vouches for. PEM in, PEM out.

Elliptic keys (P-256), which every TLS library of phones and microcontrollers knows. The time is passed in.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

if TYPE_CHECKING:
    from collections.abc import Sequence

AUTHORITY_DAYS: Final = 3653
SERVER_DAYS: Final = 397
"""What browsers and phones take at most of a public authority, and so of any (CA/Browser Forum, 6.3.2)."""

_CLOCKS_DIFFER = timedelta(hours=1)
_LONGEST_SUBJECT = 64


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its private key, each as PEM."""

    certificate: bytes
    key: bytes


@dataclass(frozen=True, slots=True)
class Facts:
    """What a certificate says of itself. `sha256` is its fingerprint, as most programs show it."""

    names: tuple[str, ...]
    subject: str
    issuer: str
    begins: datetime
    ends: datetime
    sha256: str

    def due(self, now: datetime) -> bool:
        """Whether it is time for another one: a third of its life is left, or less."""
        return now >= self.ends - (self.ends - self.begins) / 3


def make_authority(name: str, *, now: datetime) -> Pair:
    """A new authority, good for ten years; it may sign certificates of servers, and no further authorities."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:_LONGEST_SUBJECT])])
    certificate = (
        _begun(subject, key.public_key(), now=now, until=now + timedelta(days=AUTHORITY_DAYS))
        .issuer_name(subject)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    return _pair(certificate, key)


def make_server(authority: Pair, names: Sequence[str], *, now: datetime) -> Pair:
    """A certificate for the first of the names, and for all others: names in the DNS and IP addresses alike.

    It is good for SERVER_DAYS, or as long as its authority.
    """
    vouching = x509.load_pem_x509_certificate(authority.certificate)
    signing = serialization.load_pem_private_key(authority.key, password=None)
    assert isinstance(signing, ec.EllipticCurvePrivateKey), "made by make_authority"
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:_LONGEST_SUBJECT])])
    until = min(now + timedelta(days=SERVER_DAYS), vouching.not_valid_after_utc)
    certificate = (
        _begun(subject, key.public_key(), now=now, until=until)
        .issuer_name(vouching.subject)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([_general(name) for name in dict.fromkeys(names)]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signing.public_key()), critical=False)
        .sign(signing, hashes.SHA256())
    )
    return _pair(certificate, key)


def facts(certificate: bytes) -> Facts:
    """What the first certificate of a PEM file says; raises ValueError."""
    read = x509.load_pem_x509_certificate(certificate)
    names: list[str] = []
    with suppress(x509.ExtensionNotFound):
        alternative = read.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        names += alternative.get_values_for_type(x509.DNSName)
        names += map(str, alternative.get_values_for_type(x509.IPAddress))
    fingerprint = read.fingerprint(hashes.SHA256()).hex(":").upper()
    return Facts(
        names=tuple(names),
        subject=read.subject.rfc4514_string(),
        issuer=read.issuer.rfc4514_string(),
        begins=read.not_valid_before_utc,
        ends=read.not_valid_after_utc,
        sha256=fingerprint,
    )


def vouched_for(certificate: bytes, authority: bytes) -> bool:
    """Whether the authority signed the certificate, both PEM."""
    try:
        x509.load_pem_x509_certificate(certificate).verify_directly_issued_by(x509.load_pem_x509_certificate(authority))
    except Exception:  # noqa: BLE001 - whatever is wrong with the two: it did not
        return False
    return True


def belong_together(certificate: bytes, key: bytes) -> bool:
    """Whether a key is that of a certificate; raises ValueError when either cannot be read."""
    public = x509.load_pem_x509_certificate(certificate).public_key()
    private = serialization.load_pem_private_key(key, password=None)
    form = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return private.public_key().public_bytes(*form) == public.public_bytes(*form)


def covers(names: Sequence[str], host: str) -> bool:
    """Whether a certificate with these names is good for a host (RFC 9525 §6.3: a star is one whole label)."""
    parent = host.partition(".")[2]
    return host in names or (bool(parent) and f"*.{parent}" in names)


def _begun(
    subject: x509.Name, key: ec.EllipticCurvePublicKey, *, now: datetime, until: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now.astimezone(UTC) - _CLOCKS_DIFFER)
        .not_valid_after(until.astimezone(UTC))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _pair(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> Pair:
    return Pair(
        certificate.public_bytes(serialization.Encoding.PEM),
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
    )
