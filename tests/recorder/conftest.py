"""A writer on a real SQLite store that can be made to fail, and a recorder on a bus without a broker."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from noc_bus.fake import FakeBus, Hub
from noc_bus.messages import Mark
from noc_bus.time import Time
from noc_history.sqlite import SqliteStore
from noc_history.store import Batch, Rejected, StoreError, Upkeep, Written
from noc_history.store import Store as AnyStore
from noc_recorder.definitions import Definitions
from noc_recorder.forgotten import Deletions
from noc_recorder.intake import MAX_RECORDS, Intake
from noc_recorder.late import QUIET_S, Late
from noc_recorder.maintenance import Maintenance
from noc_recorder.recorder import Recorder
from noc_recorder.rejected import RejectedFile
from noc_recorder.writer import Writer
from tests.parts.waiting import wait_until

FOREVER: Final = Time.parse("2100-01-01T00:00:00.000Z")


class Store(SqliteStore):
    """Fails, or refuses some records, where the test says so."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.failing: StoreError | None = None
        self.refuses: Callable[[str], bool] = lambda target: False
        self.tries = 0
        self.can_mend = False
        self.cannot_maintain: StoreError | None = None
        self.maintained = 0

    def write(self, batch: Batch) -> Written:
        self.tries += 1
        if self.failing:
            raise self.failing
        bad = [result for result in batch.results if self.refuses(result.target)]
        good = [result for result in batch.results if result not in bad]
        marks = () if bad and self.can_mend else batch.marks
        written = super().write(replace(batch, results=good, marks=marks))
        return Written(written.stored, [Rejected(result, "it is too strange", self.can_mend) for result in bad])

    def marks(self) -> dict[str, Mark]:
        if self.failing:
            raise self.failing
        return super().marks()

    def maintain(self, before: Time | None, budget_s: float) -> Upkeep:
        self.maintained += 1
        if self.cannot_maintain:
            raise self.cannot_maintain
        return super().maintain(before, budget_s)

    def cycles(self, target: str = "router", site: str = "here") -> list[Time]:
        """When each stored cycle began."""
        found = self.series(target, Time(0), FOREVER, 1_000_000, site)
        return [point.at for point in found.get(site, ()) for _ in range(point.cycles)]


class Rig:
    """A recorder whose writer runs in a thread until `stop`, on a store that outlives it."""

    def __init__(
        self,
        folder: Path,
        hub: Hub,
        keep_days: int = 36_500,
        max_records: int = MAX_RECORDS,
        quiet_s: float = QUIET_S,
        elsewhere: AnyStore | None = None,
    ) -> None:
        """`elsewhere`: where it stores instead of in `store`."""
        self.hub = hub
        self.store = Store(folder / "history.sqlite")
        self.kept_in: AnyStore = elsewhere or self.store
        self.intake = Intake(max_records)
        self.rejected = RejectedFile(folder)
        self.bus = FakeBus(hub)
        self.definitions = Definitions(self.bus)
        self.deletions = Deletions(self.bus, folder)
        self.late = Late(self.bus, folder, self.kept_in, self.definitions.now, quiet_s=quiet_s)
        self.writer = Writer(
            self.kept_in, self.intake, self.rejected, self.definitions, self.deletions, self.late, write_every_s=0.02
        )
        self.maintenance = Maintenance(self.kept_in, keep_days, every_s=0.02)
        self.recorder = Recorder(self.bus, self.writer, self.maintenance, self.intake, self.rejected)
        self.died_of: StoreError | None = None
        self.published: list[Mark] = []
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, daemon=True),
            threading.Thread(target=self.maintenance.run, args=[self._stop], daemon=True),
        ]

    def start(self) -> None:
        self.bus.start()
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(timeout=10)
        self.bus.stop()

    def wait_for_mark(self, seq: int, site: str = "here", epoch: int = 1) -> None:
        wanted = (epoch, seq)
        wait_until(lambda: self.writer.ledger.marks().get(site) == wanted, 10, f"a mark at {wanted}")
        wait_until(lambda: any((m.site, m.epoch, m.seq) == (site, *wanted) for m in self.published), 10, "its word")

    def _run(self) -> None:
        try:
            self.writer.run(self._stop, self._publish)
        except StoreError as error:
            self.died_of = error

    def _publish(self, marks: Sequence[Mark]) -> None:
        self.recorder.publish_marks(marks)
        self.published += marks


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path, Hub())
    yield rig
    rig.stop()
    rig.store.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """With room for a few seconds of recording."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=500k", "tmpfs", str(folder)], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"may not mount a disk of its own: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)
