"""Certificates and keys for tests, of any age and for any name."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Issued:
    """A certificate with its private key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    def write(self, directory: Path, name: str = "cert", *, behind: bytes = b"", passphrase: bytes = b"") -> Path:
        """Two files, `<name>.pem` and `<name>.key`, that their owner alone may read; the first of them."""
        how = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
        chain, key = directory / f"{name}.pem", directory / f"{name}.key"
        for path, content in ((chain, self.pem + behind), (key, self._key(how))):
            path.touch(mode=0o600)
            path.write_bytes(content)
        return chain

    def _key(self, how: BestAvailableEncryption | NoEncryption) -> bytes:
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, how)


def issue(
    *names: str, by: Issued | None = None, begins_days: float = -1, ends_days: float = 90, fetchable: bool = False
) -> Issued:
    """A certificate for these names; its own authority, unless another one issues it. Days are from now."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0] if names else "An Authority")])
    now = datetime.fromtimestamp(time.time(), UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if by is None else by.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + timedelta(days=begins_days))
        .not_valid_after(now + timedelta(days=ends_days))
        .add_extension(x509.BasicConstraints(ca=by is None, path_length=None), critical=True)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName([_general(name) for name in names]), critical=False)
    if fetchable:
        where = x509.UniformResourceIdentifier("http://authority.invalid/its.der")
        access = x509.AccessDescription(AuthorityInformationAccessOID.CA_ISSUERS, where)
        builder = builder.add_extension(x509.AuthorityInformationAccess([access]), critical=False)
    return Issued(builder.sign(key if by is None else by.key, hashes.SHA256()), key)


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)
