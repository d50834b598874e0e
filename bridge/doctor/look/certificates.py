"""The certificates that the configuration names, read as their listeners would."""

from __future__ import annotations

import base64
import re
import ssl
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from bridge.doctor.judge.certificates import CertificateSeen
from bridge.doctor.judge.files import DENIED
from bridge.doctor.look.files import named
from bridge.doctor.look.listeners import configured

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bridge.config.settings import Settings

_PEM: Final = re.compile(rb"-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", re.DOTALL)
SECTIONS: Final = ("smtp", "broker", "http")
BUNDLES: Final = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")
"""Where systems keep the authorities that they trust."""


def look(settings: Settings) -> list[CertificateSeen]:
    """The facts: of each listener with TLS, and of the authorities that the bridge trusts at its broker."""
    found = [
        _seen(f"{section}.tls_cert", Path(chain), configured(settings, f"{section}.tls_key"), hosts(settings, section))
        for section in SECTIONS
        if (chain := configured(settings, f"{section}.tls_cert"))
    ]
    if settings.mqtt.ca_file is not None:
        found.append(_authority("mqtt.ca_file", settings.mqtt.ca_file))
    return found


def hosts(settings: Settings, section: str) -> tuple[tuple[str, str], ...]:
    """What is told of a section's host to those who check it, by the key that says so."""
    if section == "smtp":
        return (("smtp.hostname", settings.smtp.hostname),) if settings.smtp.hostname else ()
    url = settings.broker.public_url if section == "broker" else settings.http.public_url
    if url is None or url.scheme not in {"mqtts", "wss", "https"}:
        return ()
    return ((f"{section}.public_url", url.host),)


def _seen(key: str, path: Path, private: str, told: tuple[tuple[str, str], ...]) -> CertificateSeen:
    file = named(key, path)
    try:
        chain = x509.load_pem_x509_certificates(path.read_bytes())
    except OSError as error:
        return CertificateSeen(file, error=error.strerror or str(error))
    except ValueError:
        return CertificateSeen(file, error="there is no PEM certificate in it")
    fits, key_error = _fits(chain[0], Path(private)) if private else (False, "it is not set")
    return CertificateSeen(
        file=file,
        begins_ms=int(chain[0].not_valid_before_utc.timestamp() * 1000),
        ends_ms=min(int(each.not_valid_after_utc.timestamp() * 1000) for each in chain),
        names=tuple(_names(chain[0])),
        hosts=told,
        key_error=key_error,
        fits=fits,
        issuer=chain[-1].issuer.rfc4514_string(),
        complete=_complete(chain),
    )


def _authority(key: str, path: Path) -> CertificateSeen:
    """Authorities have no key here, and are for no host; when the first of them ends, it has to be replaced."""
    file = named(key, path)
    try:
        chain = x509.load_pem_x509_certificates(path.read_bytes())
    except OSError as error:
        return CertificateSeen(file, error=error.strerror or str(error))
    except ValueError:
        return CertificateSeen(file, error="there is no PEM certificate in it")
    return CertificateSeen(file, ends_ms=max(int(each.not_valid_after_utc.timestamp() * 1000) for each in chain))


def _fits(certificate: x509.Certificate, path: Path) -> tuple[bool | None, str]:
    """Whether a file has the private key of a certificate, and why not or why nobody knows."""
    try:
        private = load_pem_private_key(path.read_bytes(), password=None)
    except OSError as error:
        told = error.strerror or str(error)
        return (None, "") if told == DENIED else (False, told)
    except TypeError:
        return False, "it has a passphrase, which nobody is there to type"
    except ValueError:
        return False, "there is no PEM private key in it"
    return private.public_key() == certificate.public_key(), ""


def _names(certificate: x509.Certificate) -> Iterator[str]:
    with suppress(x509.ExtensionNotFound, ValueError):
        alternative = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        yield from alternative.get_values_for_type(x509.DNSName)
        yield from (str(address) for address in alternative.get_values_for_type(x509.IPAddress))


def _complete(chain: Sequence[x509.Certificate]) -> bool | None:
    """Whether the last one is an authority's own, or of an authority that this machine trusts.

    One that names no place to fetch its issuer from is of somebody's own authority, which devices were given.
    """
    last = chain[-1]
    issuer = last.issuer.public_bytes()
    if last.issuer == last.subject or any(issuer in authority for authority in _trusted()):
        return True
    with suppress(x509.ExtensionNotFound, ValueError):
        last.extensions.get_extension_for_class(x509.AuthorityInformationAccess)
        return False
    return None


@cache
def _trusted() -> tuple[bytes, ...]:
    """The authorities that this machine trusts, as their certificates in DER: each has the authority's name in it."""
    for bundle in (ssl.get_default_verify_paths().cafile, *BUNDLES):
        with suppress(OSError):
            return tuple(base64.b64decode(text) for text in _PEM.findall(Path(bundle or "").read_bytes()))
    return ()
