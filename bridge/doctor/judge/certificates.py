"""The certificates of the listeners: readable, in date, with their key, for the right host, and complete. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING

from bridge.doctor.judge.access import READ, refusing
from bridge.doctor.judge.check import Check
from bridge.doctor.judge.files import DENIED
from bridge.doctor.judge.finding import Finding, broken, fine, unknown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from bridge.doctor.judge.access import SystemUser
    from bridge.doctor.judge.files import Named

DAY_MS = 86_400_000
SOON_DAYS = 14
"""Let's Encrypt's are renewed when they have 30 days left: with less than this, something has failed for weeks."""


@dataclass(frozen=True, slots=True)
class CertificateSeen:
    """The chain in a file, and its key. `error` says why it could not be read, and the rest then says nothing.

    Times are Unix milliseconds. `names` are those the certificate is for; `hosts` are what devices are told, each by
    the key that has it. `fits` says whether the private key is the certificate's, None when that could not be seen;
    `complete` whether the chain leads to an authority, None when that is nobody's to know.
    """

    file: Named
    error: str = ""
    begins_ms: int = 0
    ends_ms: int = 0
    names: tuple[str, ...] = ()
    hosts: tuple[tuple[str, str], ...] = ()
    key_error: str = ""
    fits: bool | None = True
    issuer: str = ""
    complete: bool | None = True

    def __str__(self) -> str:
        return f"{self.file.key} = {self.file.path!r}"


def judge(certificates: Sequence[CertificateSeen], *, runs_as: SystemUser | None, now_ms: int) -> list[Finding]:
    """All findings of the hop `certificate`."""
    whole = [certificate for certificate in certificates if not certificate.error]

    def each(check: Check, trouble: Callable[[CertificateSeen], Finding | None]) -> Iterator[Finding]:
        seen = certificates if check is Check.CERTIFICATE_READABLE else whole
        found = [finding for certificate in seen if (finding := trouble(certificate)) is not None]
        nothing = "no listener has a certificate" if not certificates else "it cannot be read"
        yield from found or [fine(check) if seen else unknown(check, nothing)]

    return [
        *each(Check.CERTIFICATE_READABLE, lambda certificate: _unreadable(certificate, runs_as)),
        *each(Check.CERTIFICATE_DATES, lambda certificate: _out_of_date(certificate, now_ms)),
        *each(Check.CERTIFICATE_KEY, _key),
        *each(Check.CERTIFICATE_NAMES, _names),
        *each(Check.CERTIFICATE_CHAIN, _chain),
    ]


def _unreadable(certificate: CertificateSeen, runs_as: SystemUser | None) -> Finding | None:
    check = Check.CERTIFICATE_READABLE
    if certificate.error == DENIED:
        return unknown(check, f"{certificate}: this user may not read it", "ask as root")
    if certificate.error:
        return broken(
            check,
            f"{certificate}: {certificate.error}",
            f"name a PEM file with the whole chain at {certificate.file.key}",
        )
    wall = None if runs_as is None else refusing(certificate.file.trail, runs_as, READ)
    if wall is None or runs_as is None:
        return None
    return broken(
        check,
        f"{certificate}: {runs_as.name}, who runs the service, cannot read it: {wall.path} has mode {wall.permissions}",
        "copy certificate and key to where the service may read them, by a hook that runs at each renewal",
    )


def _out_of_date(certificate: CertificateSeen, now_ms: int) -> Finding | None:
    check, left_days = Check.CERTIFICATE_DATES, (certificate.ends_ms - now_ms) // DAY_MS
    renew = "renew it (certbot renew), and look at why that does not happen by itself: systemctl list-timers"
    if certificate.begins_ms > now_ms:
        return broken(check, f"{certificate}: it is not valid yet", "look at the clock, or use the one before")
    if certificate.ends_ms <= now_ms:
        return broken(check, f"{certificate}: it ended {-left_days} days ago: devices refuse it", renew)
    if left_days < SOON_DAYS:
        return broken(check, f"{certificate}: it ends in {left_days} days", renew)
    return None


def _key(certificate: CertificateSeen) -> Finding | None:
    check = Check.CERTIFICATE_KEY
    if certificate.fits:
        return None
    name = certificate.file.key.replace("tls_cert", "tls_key")
    if certificate.fits is None:
        return unknown(check, f"{name}: {certificate.key_error or 'this user may not read it'}", "ask as root")
    return broken(
        check,
        f"{name}: {certificate.key_error or f'it is not the key of {certificate}'}",
        f"name the two files that belong together: {certificate.file.key} and {name}",
    )


def _names(certificate: CertificateSeen) -> Finding | None:
    wrong = [
        (key, host) for key, host in certificate.hosts if not any(matches(name, host) for name in certificate.names)
    ]
    if not wrong:
        return None
    key, host = wrong[0]
    return broken(
        Check.CERTIFICATE_NAMES,
        f"{certificate}: it is for {', '.join(certificate.names) or 'nobody'}, and {key} says {host}: that is refused",
        f"get a certificate for {host}, or tell devices a name that it has ({key})",
    )


def _chain(certificate: CertificateSeen) -> Finding | None:
    if certificate.complete:
        return None
    if certificate.complete is None:
        return unknown(
            Check.CERTIFICATE_CHAIN, f"{certificate}: of {certificate.issuer}, which this machine does not know"
        )
    return broken(
        Check.CERTIFICATE_CHAIN,
        f"{certificate}: the certificate of {certificate.issuer} is missing behind it: devices cannot check it",
        f"name the file with the whole chain (fullchain.pem) at {certificate.file.key}",
    )


def matches(name: str, host: str) -> bool:
    """Whether a certificate's name is that of a host (RFC 6125 §6.4: a star stands for one label, the first)."""
    name, host = name.lower().rstrip("."), host.lower().rstrip(".")
    if is_address(host) or not name.startswith("*."):
        return name == host
    return name[1:] == "." + host.partition(".")[2]


def is_address(host: str) -> bool:
    """Whether a host is written as an IP address."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
