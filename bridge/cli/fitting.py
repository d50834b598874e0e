"""Devices with a small buffer, told where their limit does not hold: `device add`, `change` and `list`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bridge.store.pairing import DeviceListing


def warnings(devices: Iterable[DeviceListing], *, root: str, payload: int) -> Iterator[str]:
    """For each device that is sent more than it takes: why, and the buffer that it needs.

    `devices` are all of their users; `payload` is `limits.payload`, which no header exceeds.
    """
    from bridge.contract.header import longest_packet  # noqa: PLC0415 - packing, which few commands do

    by_user: dict[str, list[DeviceListing]] = {}
    for device in devices:
        by_user.setdefault(device.user, []).append(device)
    for user, own in by_user.items():
        longest = min(payload, max(payload if device.payload is None else device.payload for device in own))
        taking = [device.device for device in own if device.payload is None or device.payload >= longest]
        for device in own:
            if device.payload is not None and device.payload < longest:
                yield (
                    f"{device.username} takes headers of {device.payload} bytes, and more go to {', '.join(taking)}; "
                    f"all of {user} read the same topics, so they have up to {longest}. Give it a buffer of "
                    f"{longest_packet(root, user, longest)} bytes (PubSubClient: setBufferSize), or limit the others, "
                    f"too: postbell device change {user} {taking[0]} --payload {device.payload}"
                )
