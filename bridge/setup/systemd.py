"""systemd: user, folders and units for a Postbell that no package installed. Pure.

The units are those of the Debian package; only the program is where it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bridge.errors import ConfigurationError
from bridge.setup.recipe import File, Recipe

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import PurePath

ETC: Final = "/etc/systemd/system"
PACKAGED: Final = "/usr/bin/postbell"
"""Where the units look for the program, and the package puts it."""
HIDDEN: Final = ("/home", "/root", "/run/user", "/tmp", "/var/tmp")  # noqa: S108 - nothing is written there
"""What the units hide from Postbell, so no part of it may be there."""
ACCOUNT: Final = "postbell.sysusers"
"""The file that says which system user there is to be (sysusers.d(5))."""


def recipe(
    units: Mapping[str, str], *, program: PurePath, parts: Iterable[PurePath] = (), directory: str = ETC
) -> Recipe:
    """Files and commands for the units by their names, and `program`; `parts` are the folders that it needs to run.

    Raises ConfigurationError when the units would hide the program or a part of it from itself.
    """
    for place in (program, *parts):
        if any(place.is_relative_to(hidden) for hidden in HIDDEN):
            raise ConfigurationError(
                f"{place} is in a folder that the unit hides from Postbell: install it where all users may look, "
                "for example with PIPX_HOME=/opt/pipx PIPX_BIN_DIR=/usr/local/bin"
            )
    found = (
        File(f"{directory}/{name}", text.replace(f"={PACKAGED} ", f"={program} "))
        for name, text in sorted(units.items())
        if name != ACCOUNT
    )
    return Recipe(
        server="systemd",
        summary="a user, folders, and units that start Postbell with the machine",
        files=(File("/etc/sysusers.d/postbell.conf", units[ACCOUNT]), *found),
        commands=(
            "systemd-sysusers postbell.conf",
            "install -d -m 755 /etc/postbell",
            "install -d -m 750 -g postbell /etc/postbell/tls",
            "systemctl daemon-reload",
        ),
        reload="systemctl enable --now postbell.socket postbell.service",
        notes=("Nothing is started before there is a configuration, /etc/postbell/postbell.toml.",),
        folders=("/etc/sysusers.d",),
    )
