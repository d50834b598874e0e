"""What Home Assistant finds a user's mail by: one retained message, its *device discovery* (docs/protocol.md).

Its templates are Home Assistant's, and give something for a topic that was emptied. Nothing in it is a sender's or a
mail's.
"""

from __future__ import annotations

import json

from bridge.contract import topics

ONLINE = b"online"
"""What Home Assistant says on its status topic when it has started."""


def topic(prefix: str, root: str, user: str) -> str:
    """The full topic of a user's; below `prefix` no name may have a slash."""
    return f"{prefix}/device/{_name(root, user)}/config"


def any_topic(prefix: str) -> str:
    """The filter of all such topics, whoever's they are."""
    return f"{prefix}/device/+/config"


def status(prefix: str) -> str:
    """The full topic on which Home Assistant says that it has started."""
    return f"{prefix}/status"


def payload(*, root: str, user: str, node: str, version: str) -> bytes:
    """What is found: the event of each mail, how many are unseen, the newest mail, and whether the bridge is there."""
    name = _name(root, user)
    tree = f"{root}/{user}"
    found = {
        "device": {
            "identifiers": [f"postbell_{name}"],
            "name": f"Mail of {user}",
            "manufacturer": "Postbell",
            "model": "Mailbox",
        },
        "origin": {"name": "Postbell", "sw_version": version},
        "availability": [{"topic": topics.status(node)}],
        "qos": 1,
        "components": {
            "event": {
                "platform": "event",
                "name": "New mail",
                "unique_id": f"{name}_event",
                "icon": "mdi:email-alert",
                "state_topic": f"{tree}/event",
                "event_types": ["mail", "storm"],
                "value_template": "{{ dict(value_json, event_type=value_json.event) | to_json if value else '' }}",
            },
            "unread": {
                "platform": "sensor",
                "name": "Unseen mail",
                "unique_id": f"{name}_unread",
                "icon": "mdi:email-multiple",
                "state_class": "measurement",
                "state_topic": f"{tree}/unread",
                "value_template": "{{ value or 'None' }}",
            },
            "text": {
                "platform": "sensor",
                "name": "Newest mail",
                "unique_id": f"{name}_text",
                "icon": "mdi:email",
                "state_topic": f"{tree}/text",
                "value_template": "{{ value[:255] or 'None' }}",
                "json_attributes_topic": f"{tree}/last",
                "json_attributes_template": "{{ value or '{}' }}",
            },
        },
    }
    return json.dumps(found, ensure_ascii=False, separators=(",", ":")).encode()


def is_of(payload: bytes, *, node: str) -> bool:
    """Whether somebody's discovery is one that this node's bridge has published; anything may have been."""
    try:
        found = json.loads(payload)
        return bool(found["origin"]["name"] == "Postbell" and found["availability"] == [{"topic": topics.status(node)}])
    except (ValueError, RecursionError, LookupError, TypeError):
        return False


def _name(root: str, user: str) -> str:
    return f"{root.replace('/', '_')}_{user}"
