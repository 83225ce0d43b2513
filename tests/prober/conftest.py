"""A prober on loopback and a bus without a broker."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from noc_bus.channels import ASSIGNMENTS, SITES
from noc_bus.fake import FakeBus, Hub
from noc_bus.messages import Assignment, Site, Target
from noc_bus.time import Time
from noc_prober.clock import Clock, Readings
from noc_prober.database import open_database
from noc_prober.journal import Journal
from noc_prober.load import Load
from noc_prober.memory import Memory
from noc_prober.prober import Prober
from noc_prober.resolver import LookUp, Resolver
from noc_prober.sockets import NoIcmp, open_all
from noc_rules.assignment import assignment
from noc_rules.parents import parents_from

Scenario = Callable[[], Awaitable[None]]


class Wire(FakeBus):
    """A bus whose threads never die, having none."""

    def check(self) -> None:
        return


class Rig:
    """Central services' end of the bus, and probers that come and go on one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.hub = Hub()
        self.web = FakeBus(self.hub)
        self.web.start()
        self.wire: Wire | None = None

    def target(self, name: str, address: str, **options: Any) -> Assignment:
        target = Target(id=name, name=name, address=address, **{"packets": 2, "packet_gap_ms": 10, **options})
        told = assignment(target, parents_from(target, "local"))
        self.web.publish(ASSIGNMENTS, told, site="local")
        return told

    def anchors(self, *addresses: str) -> None:
        self.web.publish(SITES, Site(id="local", label="here", anchors=list(addresses)))

    def run(
        self,
        scenario: Scenario,
        *,
        look_up: LookUp | Resolver | None = None,
        broker: bool = True,
        readings: Readings | None = None,
        load: Load | None = None,
    ) -> None:
        """Have a prober run while the scenario does."""
        resolver = look_up if isinstance(look_up, Resolver) or look_up is None else Resolver(look_up)
        asyncio.run(self._run(scenario, resolver, broker, readings, load))

    async def _run(
        self, scenario: Scenario, resolver: Resolver | None, broker: bool, readings: Readings | None, load: Load | None
    ) -> None:
        self.wire = wire = Wire(self.hub if broker else Hub())
        stop = threading.Event()
        with closing(open_database(self.folder / "prober.sqlite")) as connection:
            journal, memory = Journal(connection, Time.now()), Memory(connection)
            prober = Prober("local", wire, open_all(), journal, memory, resolver, Clock(readings), load)
            task = asyncio.create_task(prober.run(stop))
            try:
                scenes = asyncio.ensure_future(scenario())
                await asyncio.wait([task, scenes], return_when=asyncio.FIRST_COMPLETED)
                if not scenes.done():
                    scenes.cancel()
                    await task
                scenes.result()
            finally:
                stop.set()
                await task


@pytest.fixture
def icmp() -> None:
    """Only where this machine lets us ping itself."""
    try:
        sockets = open_all()
    except NoIcmp as error:
        pytest.skip(f"no ICMP here: {error}")
    for own in sockets.values():
        own.close()


@pytest.fixture
def rig(icmp: None, tmp_path: Path) -> Rig:
    return Rig(tmp_path)


async def until(condition: Callable[[], Any], deadline_s: float = 10.0) -> Any:
    """Wait for something to be so; what it was when it was."""
    end_s = time.monotonic() + deadline_s
    while not (value := condition()):
        assert time.monotonic() < end_s, "it did not happen in time"
        await asyncio.sleep(0.01)
    return value


@contextmanager
def journal_in(folder: Path, name: str = "prober.sqlite") -> Iterator[tuple[Journal, Memory]]:
    with closing(open_database(folder / name)) as connection:
        yield Journal(connection, Time.now()), Memory(connection)
