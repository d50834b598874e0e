"""A new password for the bridge itself: at the embedded broker, or at another one whose login files are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.cli import opening, telling
from bridge.daemon import runfile
from bridge.errors import ConfigurationError

if TYPE_CHECKING:
    from bridge.config.settings import Settings


def renew(settings: Settings) -> None:
    """Give it one, which a running bridge uses from now on: it takes mail meanwhile, and connects anew.

    Raises ConfigurationError where there is nothing that Postbell could renew, ControlError, BrokerUntoldError.
    """
    from bridge.daemon import control, own_login  # noqa: PLC0415 - sockets, for this alone

    if settings.password_file is None and settings.own_secret is not None:
        raise ConfigurationError(
            f"it stands in mqtt.nodes_file = {str(settings.own_secret.path)!r}, which is the same for all bridges: "
            f"change the line of {settings.node} there, everywhere; it is taken up within a second"
        )
    if settings.mqtt.logins_for:
        assert settings.password_file is not None, "it is named, or follows from mqtt.logins_for"
        with opening.acting(settings):
            own_login.renew(settings.password_file)
        telling.renewed(settings)
    elif not settings.broker.embedded:
        raise ConfigurationError(
            "this broker's logins are not Postbell's to change: give the bridge a new password there, and write it "
            f"into the file of mqtt.password_file ({settings.password_file or 'none'}), read at each connection"
        )
    elif not runfile.running(settings.run_dir, runfile.BRIDGE):
        raise ConfigurationError("no bridge runs, and it takes a new password at each start: there is nothing to do")
    else:
        with opening.acting(settings):
            control.ask(settings.run_dir, {"do": "renew"})
