"""Certificates on disk: a local CA made once and what it signs renewed, or those from elsewhere copied."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bridge.config.permissions import FileMode
from bridge.errors import ConfigurationError, PostbellError
from bridge.init import authority, configuration, disk

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    from bridge.init.authority import Facts, Pair

AUTHORITY_KEY: Final = "ca.key"
AUTHORITY: Final = "ca.pem"
_OURS, _GROUP, _ALL = FileMode(0o600), FileMode(0o640), FileMode(0o644)


class CertificateError(PostbellError):
    """A certificate that cannot be made, or that is not good for what it is for."""


@dataclass(frozen=True, slots=True)
class Papers:
    """Chain and key that devices are shown, and the local CA's files beside them.

    The CA's certificate is for everybody and so lies one folder above its key.
    """

    chain: Path
    key: Path

    @classmethod
    def within(cls, folder: Path) -> Papers:
        """Those in the folder that `postbell init` makes."""
        return cls(folder / configuration.CHAIN, folder / configuration.KEY)

    @property
    def authority(self) -> Path:
        """The CA's certificate."""
        return self.key.parent.parent / AUTHORITY

    @property
    def authority_key(self) -> Path:
        """The CA's key."""
        return self.key.parent / AUTHORITY_KEY

    def is_local(self) -> bool:
        """Whether the certificate is one of the local CA."""
        try:
            return authority.vouched_for(self.chain.read_bytes(), self.authority.read_bytes())
        except FileNotFoundError:
            return False


def ensure(papers: Papers, names: Sequence[str], *, group: str, now: datetime) -> bool:
    """Make sure of a local CA and of a certificate for these names; whether anything had to be made.

    A CA that is there stays. Raises CertificateError, OSError.
    """
    issuing = _authority(papers, names[0], now=now)
    if papers.is_local() and papers.key.exists():
        facts = authority.facts(papers.chain.read_bytes())
        if set(names) <= set(facts.names) and not facts.due(now):
            return False
        names = list(dict.fromkeys([*names, *facts.names]))
    _write(papers, authority.make_server(issuing, names, now=now), group=group)
    return True


def renew(papers: Papers, *, host: str, now: datetime, early: bool) -> Facts | None:
    """A new certificate of the local CA for the same names and `host`; None when it is not due and not wanted early.

    Raises CertificateError when it is not the local CA's, OSError when it cannot be read or written.
    """
    if not papers.is_local():
        raise CertificateError(
            f"{papers.chain}: not signed by a local CA of `postbell init` ({papers.authority}); "
            "renew it where it comes from, then: postbell certificate install CHAIN KEY"
        )
    facts = authority.facts(papers.chain.read_bytes())
    names = list(dict.fromkeys([*facts.names, *([host] if host else [])]))
    if not (early or facts.due(now) or names != list(facts.names)):
        return None
    pair = authority.make_server(_authority(papers, names[0], now=now), names, now=now)
    _write(papers, pair, group="")
    return authority.facts(pair.certificate)


def install(papers: Papers, chain: Path, key: Path, *, host: str, group: str, now: datetime) -> bool:
    """Copy a certificate and its key into their places; whether they differed.

    Raises ConfigurationError when they cannot be read or used, OSError when they cannot be written.
    """
    pair = judged(chain, key, host=host, now=now)
    if (_bytes(papers.chain), _bytes(papers.key)) == (pair.certificate, pair.key):
        return False
    _write(papers, pair, group=group)
    return True


def mistakes(chain: Path, key: Path, *, host: str, now: datetime) -> Iterator[str]:
    """What is wrong with a certificate and its key that are to be good for a host now."""
    try:
        judged(chain, key, host=host, now=now)
    except ConfigurationError as error:
        yield str(error)


def judged(chain: Path, key: Path, *, host: str, now: datetime) -> Pair:
    """A certificate with its key that is good for a host now; raises ConfigurationError that says what is wrong."""
    contents = []
    for path in (chain, key):
        try:
            contents.append(path.read_bytes())
        except OSError as error:
            raise ConfigurationError(f"{path}: {error.strerror}; name a PEM file that this user may read") from error
    try:
        together = authority.belong_together(*contents)
        facts = authority.facts(contents[0])
    except (ValueError, TypeError) as error:
        raise ConfigurationError(
            f"{chain}, {key}: not a certificate and its key without a password, as PEM: {error}"
        ) from error
    if not together:
        raise ConfigurationError(f"{key}: not the key of {chain}; name the key that belongs to it")
    if now >= facts.ends:
        raise ConfigurationError(f"{chain}: expired on {facts.ends:%Y-%m-%d}; renew it first")
    if host and not authority.covers(facts.names, host):
        raise ConfigurationError(
            f"{chain}: good for {', '.join(facts.names) or 'no name'}, and devices connect to {host}; "
            "name another certificate, or the host that it is for"
        )
    return authority.Pair(*contents)


def _authority(papers: Papers, host: str, *, now: datetime) -> Pair:
    """The local CA, made when there is none."""
    there = _bytes(papers.authority), _bytes(papers.authority_key)
    if all(there):
        return authority.Pair(*there)
    if there[0]:
        raise CertificateError(
            f"{papers.authority_key}: there is {papers.authority} without its key; put the key back for this, or, "
            f"if it is lost, move {papers.authority} away and make a new CA with: postbell init --force … "
            "(each device has to be given it)"
        )
    made = authority.make_authority(f"Postbell CA of {host}", now=now)
    disk.write(
        disk.Content(papers.authority_key, made.key, _OURS), disk.Content(papers.authority, made.certificate, _ALL)
    )
    return made


def _write(papers: Papers, pair: Pair, *, group: str) -> None:
    """Chain and key, both at once. Without a group, who could read the key that is replaced can read the new one.

    Where there is none yet, that is the group of the folder, if it is not that of whoever writes.
    """
    mode, owner = _OURS, (-1, -1)
    if group:
        mode, owner = _GROUP, disk.ids("", group)
    elif papers.key.exists():
        found = papers.key.stat()
        mode, owner = FileMode(found.st_mode & 0o777), (found.st_uid, found.st_gid)
    elif (others := papers.key.parent.stat().st_gid) != os.getegid():
        mode, owner = _GROUP, (-1, others)
    disk.write(disk.Content(papers.chain, pair.certificate, _ALL), disk.Content(papers.key, pair.key, mode, owner))


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""
