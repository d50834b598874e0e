"""Broker, database, several bridges, links, devices and sender. Mail goes to one bridge after the other."""

from __future__ import annotations

import asyncio
import itertools
from functools import partial
from typing import TYPE_CHECKING

from tests.crash.cluster.pair import Pair
from tests.crash.cluster.server import Database, OneServer
from tests.crash.cluster.site import ClusterSite, node_names
from tests.crash.installation import START_S, Installation, Options
from tests.crash.processes import ENTRY, Service
from tests.crash.proxy import Proxy
from tests.support.waiting import until_on_loop

if TYPE_CHECKING:
    from contextlib import ExitStack
    from pathlib import Path

    from tests.crash.schedule import Schedule

STORES: dict[str, type[OneServer | Pair]] = {"postgresql": OneServer, "pair": Pair}


class ClusterInstallation(Installation):
    """The parts of a run with several bridges. Links are `<bridge>`, `<bridge>-smtp`, `<bridge>-sql` and `devices`."""

    def __init__(self, schedule: Schedule, options: Options, directory: Path, stack: ExitStack) -> None:
        self._names = node_names(options.bridges)
        self._turns = itertools.cycle(self._names)
        self._store_kind = STORES[options.store]
        self._stack = stack
        super().__init__(schedule, options, directory, stack)
        self.services["postgres"] = self.store.service
        self._beneath.append(self.store.service)

    @property
    def promotions(self) -> int:
        return self.store.promotions

    def _make_site(self, directory: Path) -> ClusterSite:
        self.store: Database = self._store_kind(directory, self._stack, history=self.history)
        return ClusterSite(directory, self.schedule.live_count, nodes=self._names, store=self.store)

    def _prepare(self) -> None:
        """There is no database yet."""

    def _make_links(self) -> dict[str, Proxy]:
        links = {"devices": Proxy(self.broker.address)}
        for name in self._names:
            links[name] = Proxy(self.broker.address)
            links[f"{name}-smtp"] = Proxy(partial(self._ingress, name))
            for number, port in enumerate(self.store.ports):
                links[_sql(name, number)] = Proxy(partial(_at, port))
        return links

    def _make_bridges(self, options: Options) -> list[Service]:
        return [self._bridge(name, options) for name in self._names]

    def _bridge(self, name: str, options: Options) -> Service:
        site = self.site
        assert isinstance(site, ClusterSite)

        def command() -> tuple[str, ...]:
            ways = [self.links[_sql(name, number)].port for number in range(len(self.store.ports))]
            url = f"POSTBELL_MQTT__URL=mqtt://127.0.0.1:{self.links[name].port}"
            return ("/usr/bin/env", url, f"POSTBELL_STORE__URL={self.store.url(ways)}", *ENTRY, "bridge")

        return Service(
            name,
            command,
            directory=site.directory,
            environment=site.node_environment(name, of_several=options.broker == "nats-cluster")
            | {"CRASH_MUTATION": self.broken(options)}
            | self._told(),
            history=self.history,
            points=self.schedule.points.get(name, ()),
        )

    def _listener(self, name: str) -> tuple[str, int] | None:
        """The next bridge that takes mail: each gets its turn."""
        for _ in self._names:
            bridge = next(self._turns)
            at = self.site.address(bridge, name)
            if at is not None:
                return ("127.0.0.1", self.links[f"{bridge}-smtp"].port) if name == "smtp" else at
        return None

    def _told(self) -> dict[str, str]:
        """What each bridge is told besides."""
        return {}

    async def _before_bridges(self) -> None:
        """What has to be there when they start."""

    async def start(self) -> None:
        await self.store.open()
        site = self.site
        assert isinstance(site, ClusterSite)
        await asyncio.to_thread(site.prepare)
        site.prepare_nodes()
        await self._before_bridges()
        await super().start()
        await until_on_loop(
            lambda: all(site.address(name, "smtp") for name in self._names),
            patience_s=START_S,
            what="all bridges to take mail",
        )


def _at(port: int) -> tuple[str, int]:
    return "127.0.0.1", port


def _sql(name: str, number: int) -> str:
    return f"{name}-sql" if not number else f"{name}-sql{number + 1}"
