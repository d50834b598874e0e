"""What only the system knows of a configuration: whether files, directories, users and groups are there.

Each is judged as the process that asks sees it: ask as the user that Postbell runs as.
"""

from __future__ import annotations

import grp
import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from bridge.config.endpoints import UnixAddress
from bridge.config.own_secret import OwnSecret, password_of
from bridge.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bridge.config.permissions import FileOwner
    from bridge.config.settings import Settings

T = TypeVar("T")

_VOLATILE = Path("/run")
_KEY, _CHAIN = b"PRIVATE KEY-----", b"-----BEGIN CERTIFICATE-----"
_LEAVE = "leave the key out"


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with the value of a key on this system, and what to do; `may_pass` as a Problem has it."""

    key: tuple[str, ...]
    problem: str
    cure: str
    may_pass: bool = False

    @property
    def name(self) -> str:
        """The key, dotted."""
        return ".".join(self.key)


def faults(settings: Settings) -> Iterator[Fault]:
    """All of them, for a configuration whose text is right."""
    yield from _state_dir(settings.state_dir)
    yield from _certificate("smtp", settings.smtp.tls_cert, settings.smtp.tls_key)
    yield from _certificate("http", settings.http.tls_cert, settings.http.tls_key)
    yield from _password(settings.mqtt.password_file)
    yield from _nodes(settings)
    yield from _authorities(settings.mqtt.ca_file)
    if isinstance(settings.lmtp.listen, UnixAddress) and not handed_over(Path(settings.lmtp.listen.path)):
        yield from _socket_file(settings.lmtp.listen)
        yield from _owner(settings.lmtp.socket_owner)


def whoami() -> str:
    """The user that this process is, by name if it has one."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def handed_over(path: Path) -> bool:
    """Whether a socket is the service manager's, which hands it over: root made it, and that we are not."""
    try:
        status = path.stat()
    except OSError:
        return False
    return stat.S_ISSOCK(status.st_mode) and status.st_uid == 0 != os.geteuid()


def unreadable(path: Path, what: str, *, otherwise: str = "mend the path") -> tuple[str, str] | None:
    """Why this user cannot read a file, and the cure; None when it can be read."""
    try:
        with path.open("rb") as file:
            file.read(1)
    except FileNotFoundError:
        return "there is no such file", f"name {what}, or {otherwise}"
    except IsADirectoryError:
        return "this is a directory", f"name {what}, which is a file"
    except PermissionError:
        me = whoami()
        return f"user {me} may not read it", f"give it to that user's group, as: sudo chgrp {me} {path}, with mode 0640"
    except OSError as error:
        return f"it cannot be read: {error.strerror}", "mend the path"
    return None


def _state_dir(path: Path) -> Iterator[Fault]:
    key = ("state_dir",)
    there = next((each for each in (path, *path.absolute().parents) if _exists(each)), Path("/"))
    if not stat.S_ISDIR(there.stat().st_mode):
        yield Fault(key, f"{there} is no directory", "name a directory, or a place for one")
    elif not os.access(there, os.R_OK | os.W_OK | os.X_OK, effective_ids=True):
        me = whoami()
        if there == path:
            owner = _name_of(there.stat().st_uid)
            yield Fault(key, f"user {me} may not write there", f"run this as its owner: sudo -u {owner} …")
        else:
            cure = f"make it: sudo install -d -o {me} -m 0700 {path}"
            yield Fault(key, f"it is not there, and user {me} may not make it", cure)


def _exists(path: Path) -> bool:
    try:
        path.stat()
    except FileNotFoundError:
        return False
    except NotADirectoryError:
        return False
    except OSError:
        return path.parent == path
    return True


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _certificate(section: str, chain: Path | None, key: Path | None) -> Iterator[Fault]:
    if chain is None or key is None:
        return
    import ssl  # noqa: PLC0415 - not for those who only ask about the text

    unusable = False
    for name, path, what in (("tls_cert", chain, "a PEM file with the certificate"), ("tls_key", key, "its PEM key")):
        if wrong := unreadable(path, what):
            unusable = True
            yield Fault((section, name), *wrong)
    if unusable:
        return
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(chain, key, password=_no_password)
    except ValueError:
        cure = f"write the key without one: openssl pkey -in {key} -out FILE"
        yield Fault((section, "tls_key"), "the key has a passphrase", cure)
    except OSError as error:
        both = f"{section}.tls_cert and {section}.tls_key"
        if "KEY_VALUES_MISMATCH" in str(error):
            yield Fault((section, "tls_key"), "it does not belong to the certificate", f"name two that do in {both}")
        elif _KEY in chain.read_bytes() and _CHAIN in key.read_bytes():
            yield Fault((section, "tls_cert"), "this is the key, and tls_key the certificate", f"change {both} round")
        else:
            cure = f"name the certificate and its key in {both}"
            yield Fault((section, "tls_cert"), "no certificate with its key in PEM form", cure)


def _no_password() -> str:
    """Without it the library would ask the terminal."""
    raise ValueError("the key has a passphrase")


def _password(path: Path | None) -> Iterator[Fault]:
    key = ("mqtt", "password_file")
    if path is None:
        return
    if wrong := unreadable(path, "the file with the bridge's password", otherwise=_LEAVE):
        yield Fault(key, *wrong)
    elif not path.read_text(encoding="utf-8", errors="replace").strip():
        yield Fault(key, "the file is empty", "write the bridge's password into it, or leave the key out")


def _nodes(settings: Settings) -> Iterator[Fault]:
    """Whoever takes this bridge's place at the broker does so with the password of its line: no other is of use."""
    key, path, node = ("mqtt", "nodes_file"), settings.mqtt.nodes_file, settings.node
    if path is None:
        return
    if wrong := unreadable(path, "the file with the passwords of all nodes", otherwise=_LEAVE):
        yield Fault(key, *wrong)
        return
    try:
        meant = password_of(path, node)
    except ConfigurationError:
        yield Fault(key, f"it has no line for the node {node}", f"add {node}:PASSWORD, on all machines")
        return
    own = settings.mqtt.password_file
    if own is not None and not unreadable(own, "") and OwnSecret(own).read() != meant:
        cure = f"leave mqtt.password_file out, or write the same password into {own}"
        yield Fault(key, f"the password of {node} is another one than that of mqtt.password_file", cure)


def _authorities(path: Path | None) -> Iterator[Fault]:
    if path is None:
        return
    if wrong := unreadable(path, "a PEM file of certificates", otherwise=_LEAVE):
        yield Fault(("mqtt", "ca_file"), *wrong)
        return
    import ssl  # noqa: PLC0415 - as above

    try:
        ssl.create_default_context(cafile=path)
    except OSError:
        cure = "name one, or leave the key out to trust the system's"
        yield Fault(("mqtt", "ca_file"), "no PEM file of certificates", cure)


def _socket_file(address: UnixAddress) -> Iterator[Fault]:
    path = Path(address.path)
    key = ("lmtp", "listen")
    if len(os.fsencode(path)) + len(f".{os.getpid()}.") > 107:
        yield Fault(key, "the path is too long for a socket", "choose one of at most 90 characters")
        return
    there = next((each for each in path.parents if _exists(each)), Path("/"))
    if there == _VOLATILE:  # the service manager makes what is in there, at each start
        return
    if not stat.S_ISDIR(there.stat().st_mode):
        yield Fault(key, f"{there} is no directory", "choose another path")
    elif not os.access(there, os.W_OK | os.X_OK, effective_ids=True):
        me = whoami()
        cure = f"make its directory: sudo install -d -o {me} {path.parent} (systemd makes it with RuntimeDirectory=)"
        yield Fault(key, f"user {me} may not make a file in {there}", cure)
    elif _exists(path) and not stat.S_ISSOCK(path.lstat().st_mode):
        yield Fault(key, "there is a file that is not a socket", "remove it, or choose another path")


def _owner(owner: FileOwner) -> Iterator[Fault]:
    key, me = ("lmtp", "socket_owner"), whoami()
    install = "install the mail server first, or mend the name"
    user, group = _known(pwd.getpwnam, owner.user), _known(grp.getgrnam, owner.group)
    if owner.user and user is None:
        yield Fault(key, f"there is no user {owner.user}", install)
    if owner.group and group is None:
        yield Fault(key, f"there is no group {owner.group}", install)
    if os.geteuid() == 0:
        return
    if user is not None and user.pw_uid != os.geteuid():
        cure = f'write ":{owner.group or "GROUP"}" and put {me} into that group'
        yield Fault(key, "only root may give the socket to another user", cure)
    if group is not None and group.gr_gid not in {os.getegid(), *os.getgroups()}:
        cure = f"sudo usermod -aG {owner.group} {me}, then start Postbell anew"
        yield Fault(key, f"user {me} is not in the group {owner.group}", cure)


def _known(look: Callable[[str], T], name: str) -> T | None:
    try:
        return look(name)
    except KeyError:
        return None
