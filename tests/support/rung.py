"""Push for tests: a bridge that rings nobody, keys of devices, and what waits for one."""

from __future__ import annotations

from bridge.contract.requests import Status
from bridge.errors import BadRequestError


class RingsNobody:
    """What requests ask about push, where that is switched off."""

    async def key(self):
        raise BadRequestError(Status.NO_PUSH, "push is switched off here")

    async def standing(self, user_id, device):
        del user_id, device

    async def subscribe(self, user_id, device, subscription):
        del user_id, device, subscription
        raise BadRequestError(Status.NO_PUSH, "push is switched off here")

    async def unsubscribe(self, user_id, device):
        del user_id, device


class RingsAnybody(RingsNobody):
    """The same, where every endpoint will do and nobody looks."""

    async def subscribe(self, user_id, device, subscription):
        del user_id, device
        assert subscription.endpoint
