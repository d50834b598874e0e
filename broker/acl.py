"""Who may read and write which topics. Pure: a login, a topic, an answer.

| role   | reads                                                | writes                             |
|--------|------------------------------------------------------|------------------------------------|
| device | `<root>/<user>/#` without the `do` and `re` of other | `<root>/<user>/do/<device>`,        |
|        | devices, `mail-bridge/+/status`,                     | `<home>/status`; 16 KiB            |
|        | `<home>/device/<root>_<user>/config`                 |                                    |
| bridge | `<root>/#`, `mail-bridge/#`, `$SYS/#`, `<home>/#`    | `<root>/#`, `mail-bridge/#`,       |
|        |                                                      | `<home>/device/+/config`           |
| admin  | `<root>/#`, `mail-bridge/#`, `$SYS/#`                | nothing                            |

`<home>` is the prefix of Home Assistant's discovery, if that is on. A filter is granted when it lies inside what the
login may read. Exceptions of convenience: a device may subscribe to its whole tree although what its siblings ask and
are answered lies in it, and to all below `<home>`, as Home Assistant does; and an administrator may subscribe to `#`.
What they may not read is left out at delivery.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

STATUS_ROOT = "mail-bridge"
REQUEST_SIZE = 16_384
"""Bytes of a request at most, as the contract has it (docs/protocol.md, "Requests"): the bridge reads no larger one."""


_DEVICES = ("do/", "re/")
"""Branches of a user's tree that have one for each device."""


class Role(StrEnum):
    """What a login is for."""

    DEVICE = "device"
    BRIDGE = "bridge"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a connection is, once its password was right. A device's username is `<user>.<device>`."""

    username: str
    role: Role

    @property
    def user(self) -> str:
        """The person whose mail it is."""
        return self.username.partition(".")[0]

    @property
    def device(self) -> str:
        """The device's own name."""
        return self.username.partition(".")[2]


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules for one topic root, which may have several levels (`home/mail`).

    `home` is the prefix of Home Assistant's discovery; empty when it is off.
    """

    root: str
    home: str = ""

    def may_subscribe(self, who: Identity, topic_filter: str) -> bool:
        """Whether a filter is granted; the filter itself is valid."""
        if who.role is not Role.DEVICE:
            anything = who.role is Role.ADMIN and not topic_filter.startswith("$")
            return self._within_any(topic_filter) or self._hears_home(who, topic_filter) or anything
        if _within(topic_filter, f"{self.root}/{who.user}"):
            return not self._is_of_another(who, topic_filter)
        return _is_status(topic_filter) or (bool(self.home) and _within(topic_filter, self.home))

    def may_read(self, who: Identity, topic: str) -> bool:
        """Whether a message on this topic may be delivered."""
        if who.role is not Role.DEVICE:
            return topic.startswith(f"{self.root}/") or self._within_any(topic) or self._hears_home(who, topic)
        own = f"{self.root}/{who.user}/"
        if topic.startswith(own) and not topic.startswith(_DEVICES, len(own)):
            return True
        if _within(topic, f"{self.root}/{who.user}"):
            return not self._is_of_another(who, topic)
        return _is_status(topic) or (bool(self.home) and topic == self._discovery(who.user))

    def may_write(self, who: Identity, topic: str) -> bool:
        """Whether a message on this topic, or a will, is accepted."""
        if who.role is Role.DEVICE:
            own = topic == f"{self.root}/{who.user}/do/{who.device}"
            return own or (bool(self.home) and topic == f"{self.home}/status")
        ours = _within(topic, self.root) or _within(topic, STATUS_ROOT) or self._is_discovery(topic)
        return who.role is Role.BRIDGE and ours

    def refuses(self, who: Identity, topic: str, size: int) -> str | None:
        """Why a message of so many bytes on this topic, or a will, is not accepted; None when it is."""
        if who.role is Role.BRIDGE and topic.startswith(f"{self.root}/"):
            return None  # a mail's topic, as nearly all are
        if not self.may_write(who, topic):
            return "not_allowed"
        return "too_large_request" if who.role is Role.DEVICE and size > REQUEST_SIZE else None

    def may_retain(self, who: Identity) -> bool:
        """Whether the RETAIN flag counts: a retained request would be asked again at every reconnection."""
        return who.role is Role.BRIDGE

    def _within_any(self, topic: str) -> bool:
        return _within(topic, self.root) or _within(topic, STATUS_ROOT) or _within(topic, "$SYS")

    def _hears_home(self, who: Identity, topic: str) -> bool:
        return bool(self.home) and who.role is Role.BRIDGE and _within(topic, self.home)

    def _discovery(self, user: str) -> str:
        """What a user's Home Assistant finds its sensors by; the name of a device has no slash."""
        return f"{self.home}/device/{self.root.replace('/', '_')}_{user}/config"

    def _is_discovery(self, topic: str) -> bool:
        rest = topic.removeprefix(f"{self.home}/device/") if self.home else topic
        return rest != topic and rest.count("/") == 1 and rest.endswith("/config")

    def _is_of_another(self, who: Identity, topic: str) -> bool:
        """Whether it names what lies under `do` or `re` for a sibling. `re/#` and `re/+` name the own as well."""
        branch, _, rest = topic[len(self.root) + len(who.user) + 2 :].partition("/")
        return branch in ("do", "re") and rest.partition("/")[0] not in (who.device, "+", "#", "")


def _within(topic: str, tree: str) -> bool:
    """Whether topic or filter lies in a tree named without wildcards; `tree/#` matches `tree` too."""
    return topic.startswith(tree) and topic[len(tree) : len(tree) + 1] in ("", "/")


def _is_status(topic: str) -> bool:
    levels = topic.split("/")
    return len(levels) == 3 and levels[0] == STATUS_ROOT and levels[1] != "#" and levels[2] == "status"
