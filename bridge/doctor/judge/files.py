"""Users and permissions: who asks, who owns, who runs, and what each may read and write. Pure."""

from __future__ import annotations

import stat
from dataclasses import dataclass

from bridge.doctor.judge.access import ENTER, OTHERS, READ, WRITE, FileSeen, SystemUser, allows, refusing
from bridge.doctor.judge.check import Check
from bridge.doctor.judge.finding import Finding, broken, fine, unknown

TOLD = 3
"""Of many files with the same trouble, so many are named."""
GROUP_OR_OTHERS = 0o077
SECRET = ("postbell.db", "local.key", "mqtt.password")
"""Files of the state that nobody else may read begin so."""
DENIED = "Permission denied"
"""What the system says to somebody who may not look."""


@dataclass(frozen=True, slots=True)
class Named:
    """A file or folder that a key of the configuration names, with the way to it; `error` when it cannot be seen."""

    key: str
    path: str
    trail: tuple[FileSeen, ...] = ()
    error: str = ""

    @property
    def place(self) -> FileSeen | None:
        """The file itself."""
        return self.trail[-1] if self.trail and not self.error else None


@dataclass(frozen=True, slots=True)
class FilesSeen:
    """All that is to be known of users and files.

    `owner` is who owns the state directory, None when there is none; `service` who runs the bridge, None
    when nobody does. `contents` are the files of the state, None when this process may not look.
    `command` is how to ask again.
    """

    state: Named
    asking: SystemUser
    owner: SystemUser | None
    service: SystemUser | None
    contents: tuple[FileSeen, ...] | None
    configuration: Named | None
    secrets: tuple[Named, ...]
    run: tuple[Named, ...]
    command: str = "postbell doctor"

    @property
    def runs_as(self) -> SystemUser | None:
        """Whose permissions count: of who runs it, else of who would."""
        return self.service or self.owner


def judge(files: FilesSeen) -> list[Finding]:
    """All findings of the hops `user` and `files`."""
    return [
        _owner(files),
        _service(files),
        *_closed(files),
        _owned(files),
        _configuration(files),
        *_secrets(files),
        *_run(files),
    ]


def _owner(files: FilesSeen) -> Finding:
    if files.owner is None and files.state.error == DENIED:
        return broken(
            Check.OWNER,
            f"you are not the user that owns the state: {files.asking.name} may not even see {files.state.path}",
            f"sudo {files.command}",
        )
    if files.owner is None:
        return unknown(Check.OWNER, f"{files.state.path}: {files.state.error}")
    if files.asking.uid in {0, files.owner.uid}:
        return fine(Check.OWNER)
    return broken(
        Check.OWNER,
        f"you are not the user that owns the state: {files.state.path} belongs to {files.owner.name}, "
        f"and you are {files.asking.name}",
        f"sudo -u {files.owner.name} {files.command}",
    )


def _service(files: FilesSeen) -> Finding:
    if files.service is None or files.owner is None:
        return unknown(Check.SERVICE_USER, "no running bridge is to be seen")
    if files.service.uid == files.owner.uid:
        return fine(Check.SERVICE_USER)
    return broken(
        Check.SERVICE_USER,
        f"the bridge runs as {files.service.name}, and {files.state.path} belongs to {files.owner.name}",
        f"run it as {files.owner.name} (User= in its unit), or, once it is stopped: "
        f"chown -R {files.service.name}: {files.state.path}",
    )


def _closed(files: FilesSeen) -> list[Finding]:
    place = files.state.place
    if place is None or files.contents is None:
        return [unknown(Check.CLOSED, f"this user cannot look into {files.state.path}")]
    found = []
    if place.mode & OTHERS:
        found.append(
            broken(
                Check.CLOSED,
                f"every user of this machine may look into {place.path} (mode {place.permissions})",
                f"chmod 700 {place.path}",
            )
        )
    found += [
        broken(
            Check.CLOSED,
            f"others than its owner may use {each.path} (mode {each.permissions}): it has mail and logins",
            f"chmod 600 {each.path}",
        )
        for each in files.contents
        if each.mode & GROUP_OR_OTHERS and each.path.rpartition("/")[2].startswith(SECRET)
    ]
    return found or [fine(Check.CLOSED)]


def _owned(files: FilesSeen) -> Finding:
    if files.contents is None or files.owner is None:
        return unknown(Check.OWNED, f"this user cannot look into {files.state.path}")
    strangers = [each.path for each in files.contents if each.uid != files.owner.uid]
    if not strangers:
        return fine(Check.OWNED)
    more = f" and {len(strangers) - TOLD} more" if len(strangers) > TOLD else ""
    listed = f"{', '.join(strangers[:TOLD])}{more}"
    return broken(
        Check.OWNED,
        f"{files.state.path} has files that {files.owner.name} does not own and cannot write: {listed}",
        f"chown -R {files.owner.name}: {files.state.path}",
    )


def _configuration(files: FilesSeen) -> Finding:
    named, account = files.configuration, files.runs_as
    if named is None:
        return unknown(Check.CONFIGURATION_FILE, "there is no configuration file: defaults and environment are used")
    if named.place is None:
        return unknown(Check.CONFIGURATION_FILE, f"{named.path}: {named.error}")
    if named.place.mode & WRITE:
        return broken(
            Check.CONFIGURATION_FILE,
            f"every user of this machine may write {named.path} (mode {named.place.permissions})",
            f"chmod o-w {named.path}",
        )
    if account is not None and (wall := refusing(named.trail, account, READ)) is not None:
        return broken(
            Check.CONFIGURATION_FILE,
            f"{account.name}, who runs the service, cannot read {named.path}: {_of(wall)}",
            _let_in(account, wall),
        )
    return fine(Check.CONFIGURATION_FILE)


def _secrets(files: FilesSeen) -> list[Finding]:
    if not files.secrets:
        return [unknown(Check.SECRETS, "the configuration names no passwords or keys")]
    found = [
        finding
        for named in files.secrets
        for finding in secret(
            named,
            files.runs_as,
            check=Check.SECRETS,
            told=f"{named.key} = {named.path!r}",
            mend=f"mend {named.key}, or make the file",
        )
    ]
    return found or [fine(Check.SECRETS)]


def secret(named: Named, account: SystemUser | None, *, check: Check, told: str, mend: str) -> list[Finding]:
    """What is wrong with a file that has a secret; `told` is what it is called, `mend` what to do where it is not."""
    if named.error == DENIED:
        return [unknown(check, f"{told}: this user cannot look at it")]
    if named.place is None:
        return [broken(check, f"{told}: {named.error}", mend)]
    found = []
    if named.place.mode & OTHERS & (READ | WRITE):
        found.append(
            broken(
                check,
                f"{told}: every user of this machine may use it (mode {named.place.permissions})",
                f"chmod o-rw {named.path}",
            )
        )
    if account is not None and (wall := refusing(named.trail, account, READ)) is not None:
        found.append(
            broken(
                check,
                f"{told}: {account.name}, who runs the service, cannot read it: {_of(wall)}",
                _let_in(account, wall),
            )
        )
    return found


def _run(files: FilesSeen) -> list[Finding]:
    account = files.runs_as
    if not files.run or account is None:
        return [unknown(Check.RUN, "no listener is a UNIX socket")]
    return [_folder(named, account) for named in files.run]


def _folder(named: Named, account: SystemUser) -> Finding:
    """A socket that is there already, whoever made it, needs no folder that could be written."""
    told = f"{named.key} = 'unix:{named.path}'"
    if named.place is not None and stat.S_ISSOCK(named.place.mode):
        return fine(Check.RUN)
    if not named.trail:
        return unknown(Check.RUN, f"{told}: {named.error}")
    nearest = named.trail[-1]
    if all(allows(folder, account, ENTER) for folder in named.trail) and allows(nearest, account, WRITE | ENTER):
        return fine(Check.RUN)
    wall = refusing(named.trail, account, WRITE | ENTER)
    assert wall is not None, "one of them does not let the account in"
    return broken(
        Check.RUN,
        f"{told}: {account.name} cannot make a socket there: {_of(wall)}",
        "have systemd make the folder (RuntimeDirectory=postbell in the unit), or: "
        f"install -d -o {account.name} {named.path.rpartition('/')[0]}",
    )


def _of(place: FileSeen) -> str:
    return f"{place.path} is of user {place.uid}, group {place.gid}, mode {place.permissions}"


def _let_in(account: SystemUser, wall: FileSeen) -> str:
    """How to let an account through the one place that does not."""
    if stat.S_ISDIR(wall.mode):
        return f"chmod o+x {wall.path}, or move the file to where {account.name} may go"
    return f"chgrp {account.name} {wall.path} && chmod g+r {wall.path}"
