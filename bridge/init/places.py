"""Where an installation keeps its things, and whose they are: the system's, or one user's own. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import TYPE_CHECKING, Final

from bridge.config.endpoints import TcpAddress, UnixAddress

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bridge.config.endpoints import Endpoint

ACCOUNT: Final = "postbell"
ETC: Final = PurePath("/etc")
FILE_NAME: Final = "postbell.toml"
LMTP_PORT: Final = 2424
"""Where an installation of one user takes LMTP, as it may not give a socket to a mail server's group."""


@dataclass(frozen=True, slots=True)
class Installation:
    """Files and folders of one installation.

    `account` and `group` are the system user that it runs as, empty where it is the one who asks; `units` is where
    this installation's units of systemd go.
    """

    configuration: PurePath
    state: PurePath
    units: PurePath
    lmtp: Endpoint
    account: str = ""
    group: str = ""

    @property
    def folder(self) -> PurePath:
        """Where the configuration is, and what belongs to it."""
        return self.configuration.parent

    @property
    def tls(self) -> PurePath:
        """Where certificates with their keys are."""
        return self.folder / "tls"


def with_socket(place: Installation, path: PurePath) -> Installation:
    """The same place, with its LMTP socket elsewhere."""
    return replace(place, lmtp=UnixAddress(path))


def of_the_system(
    *,
    account: str = ACCOUNT,
    group: str = "",
    configuration: PurePath | None = None,
    state: PurePath | None = None,
) -> Installation:
    """The places of a server's installation, which root makes; without a name the group is called as the account."""
    return Installation(
        configuration=configuration or ETC / "postbell" / FILE_NAME,
        state=state or PurePath("/var/lib/postbell"),
        units=ETC / "systemd" / "system",
        lmtp=UnixAddress(PurePath("/run/postbell/lmtp.sock")),
        account=account,
        group=group or account,
    )


def of_a_user(
    home: PurePath,
    environ: Mapping[str, str],
    *,
    configuration: PurePath | None = None,
    state: PurePath | None = None,
) -> Installation:
    """The places of an installation that needs no root (XDG Base Directory Specification)."""
    config_home = PurePath(environ.get("XDG_CONFIG_HOME") or home / ".config")
    state_home = PurePath(environ.get("XDG_STATE_HOME") or home / ".local" / "state")
    return Installation(
        configuration=configuration or config_home / "postbell" / FILE_NAME,
        state=state or state_home / "postbell",
        units=config_home / "systemd" / "user",
        lmtp=TcpAddress("127.0.0.1", LMTP_PORT),
    )
