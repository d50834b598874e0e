"""An application message on its way through the broker: a publish, a will, a retained value. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)  # not frozen: one is made of each PUBLISH, in a quarter of the time
class Message:
    """Topic, payload and QoS, and what MQTT 5 adds. It is never changed.

    `properties` are those that go to every receiver unchanged, encoded as they stand in a packet, without their length:
    payload format, content type, response topic, correlation data, user properties [MQTT-3.3.2-17]. A receiver that
    speaks an older version is sent none of it. `expires_at` is when the message is worth nothing any more (epoch
    seconds) [MQTT-3.3.2-5]; 0 is never.
    """

    topic: str
    payload: bytes
    qos: int
    properties: bytes = b""
    expires_at: float = 0.0
