"""The raw client of mqtt_client5.py with properties by their names, for tests that say much and judge few bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.support import mqtt_client as mqtt
from tests.support import mqtt_client5 as five
from tests.support.mqtt_broker import EmbeddedBroker, MosquittoWithOurRules, password_of

if TYPE_CHECKING:
    from tests.support.mqtt_client import Packet

PROPERTIES = {
    "payload_format": five.PAYLOAD_FORMAT, "message_expiry": five.MESSAGE_EXPIRY, "content_type": five.CONTENT_TYPE,
    "response_topic": five.RESPONSE_TOPIC, "correlation_data": five.CORRELATION_DATA,
    "subscription_id": five.SUBSCRIPTION_ID, "session_expiry": five.SESSION_EXPIRY,
    "assigned_client_id": five.ASSIGNED_CLIENT_ID, "server_keep_alive": five.SERVER_KEEP_ALIVE,
    "authentication_method": five.AUTHENTICATION_METHOD, "request_problem": five.REQUEST_PROBLEMS,
    "will_delay": five.WILL_DELAY, "reason": five.REASON, "receive_maximum": five.RECEIVE_MAXIMUM,
    "alias_maximum": five.ALIAS_MAXIMUM, "alias": five.ALIAS, "maximum_qos": five.MAXIMUM_QOS,
    "retain_available": five.RETAIN_AVAILABLE, "user": five.USER, "packet_maximum": five.PACKET_MAXIMUM,
    "wildcard_available": five.WILDCARDS, "ids_available": five.IDENTIFIERS, "shared_available": five.SHARED,
}  # fmt: skip
_NAMES = {number: name for name, number in PROPERTIES.items()}
_SEVERAL = {"user", "subscription_id"}


def having(told: dict[str, Any]) -> list[tuple[int, Any]]:
    """Properties as mqtt_client5 takes them; a list is one that comes several times."""
    return [
        (PROPERTIES[name], each)
        for name, value in told.items()
        for each in (value if isinstance(value, list) else [value])
    ]


def connect(client_id="c", *, will_properties=None, **options: Any) -> bytes:
    """`will` is (topic, payload, qos, retain); what is no option of mqtt_client5's is a property."""
    told = {name: options.pop(name) for name in list(options) if name in PROPERTIES}
    will_having = having(will_properties or {})
    return five.connect(client_id, having=having(told), will_having=will_having, **options)


def publish(topic, payload=b"", *, qos=0, packet_id=1, retain=False, dup=False, **told: Any) -> bytes:
    return five.publish(topic, payload, qos=qos, packet_id=packet_id, retain=retain, dup=dup, having=having(told))


def subscribe(*filters, packet_id=1, **told: Any) -> bytes:
    """Filters with their options."""
    return five.subscribe(*filters, packet_id=packet_id, having=having(told))


unsubscribe, answer = five.unsubscribe, five.answer


def disconnect(code=0, **told: Any) -> bytes:
    return five.disconnect(code, having=having(told))


def code(packet: Packet) -> int:
    """The reason code of a CONNACK, PUBACK, PUBREC, PUBCOMP or DISCONNECT."""
    return _whole(packet).code


def about(packet: Packet) -> dict[str, Any]:
    """The properties of a CONNACK or PUBLISH, texts as bytes; those that may come several times as lists."""
    told: dict[str, Any] = {}
    for number, value in _whole(packet).properties:
        name, found = _NAMES[number], _bytes(value)
        if name in _SEVERAL:
            told.setdefault(name, []).append(found)
        else:
            told[name] = found
    return told


def payload(packet: Packet) -> bytes:
    """The payload of a PUBLISH."""
    return _whole(packet).payload


def codes(packet: Packet) -> list[int]:
    """The codes of a SUBACK or UNSUBACK."""
    return _whole(packet).codes


def _whole(packet: Packet) -> five.Packet:
    return five.Packet(packet.kind, packet.flags, packet.body)


def _bytes(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(map(_bytes, value))
    return value.encode() if isinstance(value, str) else value


class Client5(mqtt.Raw):
    """A client of this username at a broker, connected; `terms` is what CONNACK said.

    `names` is for what topics have come as numbers.
    """

    terms: dict[str, Any]

    def __init__(self, broker: EmbeddedBroker | MosquittoWithOurRules, username: str, **options: Any) -> None:
        super().__init__(broker.address(), receive_buffer=options.pop("receive_buffer", 0))
        self.names: dict[int, str] = {}
        options.setdefault("password", password_of(username))
        self.send(connect(options.pop("client_id", username), username=username, **options))
        connack = self.expect(mqtt.CONNACK)
        assert connack.body[1] == 0, f"CONNACK code {connack.body[1]:#x}"
        self.present = bool(connack.body[0])
        self.terms = about(connack)

    def subscribed(self, *filters: tuple[str, int], **told: Any) -> list[int]:
        """Subscribe; the codes of SUBACK. What comes before it is acknowledged and gone."""
        self.send(subscribe(*filters, **told))
        return codes(self._until(mqtt.SUBACK, acknowledge=True)[-1])
