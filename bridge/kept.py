"""Mail and logins as the store keeps them, in what the store tells others. Frozen values, pure."""

from __future__ import annotations

from dataclasses import dataclass

from bridge.contract import ids
from bridge.rules.alert import Alert


@dataclass(frozen=True, slots=True)
class Kept:
    """A message as it was kept for one user, and what its rules decided.

    `number` is its id as a number (`contract/ids.py`). `copy_of_known` says that it was there
    already: then nothing rings, whatever `alert` is.
    """

    user_id: int
    user: str
    number: int
    copy_of_known: bool = False
    alert: Alert = Alert.RING

    @property
    def mail_id(self) -> str:
        """The id under which devices know it."""
        return ids.encode(self.number)


@dataclass(frozen=True, slots=True)
class StoredBody:
    """Where a message's `size` bytes are: in `raw`, or in the spool file named `file`; in neither when gone."""

    size: int
    raw: bytes | None
    file: str | None


@dataclass(frozen=True, slots=True)
class MqttLogin:
    """Who may log in at a broker, and what it has to know of the password; of no topic unless `role` says of which.

    `pbkdf2` is as mosquitto has it, `bcrypt` as NATS; both are empty where they are not known.
    """

    username: str
    role: str
    pbkdf2: str
    bcrypt: str

    @property
    def user(self) -> str:
        """The person whose device it is."""
        return self.username.partition(".")[0]

    @property
    def device(self) -> str:
        """The device's own name."""
        return self.username.partition(".")[2]
