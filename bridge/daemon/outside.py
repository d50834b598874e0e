"""Puts together what keeps another broker's logins, for the running bridge and for commands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from bridge.daemon.login_files import Form, LoginFiles
from bridge.daemon.own_login import OwnLogin
from bridge.daemon.reloading import Reloading
from bridge.publish import visit
from bridge.publish.target import Target
from bridge.setup import mosquitto, nats

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from bridge.config.settings import Settings
    from bridge.kept import MqttLogin

FORMS: dict[str, Form] = {"mosquitto": mosquitto, "nats": nats}
LOCK = "logins.lock"
SHARED_LOCK, UNREAD = ".lock", ".unread"


class Admit(Protocol):
    """What has a password open the login of a node's bridge, in the store."""

    def __call__(self, username: str, password: str, *, node: str) -> Awaitable[None]:
        """Done when it is on disk; raises StoreUnavailableError."""


class Outside:
    """Another broker, as far as its logins are Postbell's affair. Make one only where `mqtt.logins_for` says so.

    Without `reload` the files are written, and nobody is asked to read them.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        revision: Callable[[], Awaitable[int]],
        read: Callable[[], Awaitable[list[MqttLogin]]],
        admit: Admit,
        reload: bool = True,
        lock: str = LOCK,
    ) -> None:
        assert settings.own_secret is not None, "it is named, or follows from mqtt.logins_for"
        self._settings = settings
        self.own = OwnLogin(
            settings.own_secret, admit=lambda password: admit(settings.broker_login, password, node=settings.node)
        )
        shared = bool(settings.store.url)  # bridges of one machine keep the same files
        reloading = Reloading(
            hook=settings.mqtt.logins_hook, directory=settings.login_files, broker=settings.mqtt.logins_for
        )
        self.files = LoginFiles(
            form=FORMS[settings.mqtt.logins_for],
            directory=settings.login_files,
            lock=settings.login_files / SHARED_LOCK if shared else settings.run_dir / lock,
            unread=settings.login_files / UNREAD if shared else None,
            root=settings.mqtt.root,
            home=settings.home,
            own=self.own.take_up,
            revision=revision,
            read=read,
            reload=reloading.ask if reload else _nothing,
            dismiss=self._dismiss,
        )

    async def see_let_in(self, username: str, password: str) -> None:
        """See that the broker knows a login by now; raises RefusedError."""
        by_username = self._settings.mqtt.logins_for == "mosquitto"
        await visit.be_let_in(self._target(username, password), by_username=by_username, patience_s=visit.PATIENCE_S)

    async def _dismiss(self, username: str, password: str) -> None:
        """End the session of a login by its last password; raises RefusedError."""
        await visit.end_session(self._target(username, password), patience_s=visit.PATIENCE_S)

    def _target(self, username: str, password: str) -> Target:
        url = self._settings.mqtt.url
        assert url is not None, "another broker has a URL"
        return Target(url, username, password, self._settings.mqtt.ca_file)


async def _nothing() -> None:
    """In the place of having the files read."""
