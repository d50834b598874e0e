"""The brokers by the names that the command line and the table use."""

from __future__ import annotations

from tests.crash.brokers import Embedded, ForgetfulMosquitto, Mosquitto
from tests.crash.nats import Nats, NatsCluster

BROKERS: dict[str, type[Embedded | Mosquitto | Nats]] = {
    "embedded": Embedded,
    "mosquitto": Mosquitto,
    "mosquitto-forgetful": ForgetfulMosquitto,
    "nats": Nats,
    "nats-cluster": NatsCluster,
}
