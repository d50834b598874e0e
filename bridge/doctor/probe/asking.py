"""What a device of the probe asks of the bridge, and reads of what it hears (docs/protocol.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgpack

from bridge.contract import topics
from bridge.contract.header import unpack_header
from bridge.contract.packing import pack, unpack
from bridge.doctor.probe.names import DEVICE

if TYPE_CHECKING:
    from bridge.doctor.look.mqtt import Heard, ProbeDevice

ARRIVES_S: Final = 3.0


def ask(device: ProbeDevice, root: str, user: str, request: list[Any], *, within_s: float = ARRIVES_S) -> int | None:
    """The status of the answer to a device's request; None when none came in time."""
    replies = f"{root}/{topics.reply(user, DEVICE)}"
    device.publish(f"{root}/{user}/do/{DEVICE}", pack(request))
    answer = device.wait(
        lambda heard: heard.topic == replies and (array := array_of(heard)) is not None and array[1] == request[1],
        within_s=within_s,
    )
    array = None if answer is None else array_of(answer)
    return None if array is None else int(array[2])


def array_of(heard: Heard) -> list[Any] | None:
    """A payload as an array of the contract; None when it is none."""
    try:
        array = unpack(heard.payload)
    except (ValueError, msgpack.UnpackException):
        return None
    return array if isinstance(array, list) and len(array) > 2 else None


def subject_of(heard: Heard) -> str | None:
    """The subject in a header; None when it is none."""
    return unpack_header(heard.payload).subject if array_of(heard) is not None else None
