"""What the broker says of itself, heard on the bridge's own connection."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from bridge.errors import LinkDownError, RefusedError
from bridge.metrics.sys_topics import FILTERS, Figures

if TYPE_CHECKING:
    from bridge.publish.connection import BrokerConnection


class BrokerFigures:
    """Asks for the figures on each connection, unless a broker has answered that by ending one."""

    def __init__(self, figures: Figures) -> None:
        self._figures = figures
        self._asking = True
        self._log = structlog.get_logger()

    async def listen(self, connection: BrokerConnection) -> None:
        """Have figures come until cancelled; then they are forgotten, for they are of this connection's broker."""
        try:
            with connection.retained(self._figures.take):
                if self._asking:
                    await self._subscribe(connection)
                await asyncio.wait({connection.closed})  # which is others' to wait for as well
        finally:
            self._figures.forget()

    async def _subscribe(self, connection: BrokerConnection) -> None:
        self._asking = False
        try:
            await connection.subscribe(FILTERS, qos=0)
        except LinkDownError:
            self._log.info("broker_figures_refused", reason="the broker ended the connection")
        except (RefusedError, TimeoutError) as error:
            self._log.info("broker_figures_refused", reason=str(error) or "no answer to the subscription")
        else:
            self._asking = True
