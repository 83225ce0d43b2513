"""Everything that one store keeps, into another: in the order of targets, and again without harm.

What is copied already is noted in the data folder, so that a copy which was cut off goes on where it was. A
target that is done is looked at again for what has come since, from a day before its copy on.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeVar

from noc_bus.messages import ProbeResult, SiteState, State
from noc_bus.time import DAY_MS, Time
from noc_history.store import Batch, Rejected, SiteRecords, Store, StoreError
from noc_history.sums import HOURS, MINUTES, WIDTH_MS

_IN_A_BATCH: Final = 20_000
_MAINTAIN_S: Final = 0.5
# A day may have hours of which the cycles are gone.
_SUMMED_AGAIN_MS: Final = (WIDTH_MS[MINUTES], WIDTH_MS[HOURS])
_T = TypeVar("_T")


class Progress:
    """Lines of a file: which target was copied, and up to when. Gone when all is copied."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._done: dict[str, int] = {}

    def open(self, way: str) -> None:
        """Go on with a copy from this store to that one, or begin one. Raises OSError."""
        if self._path.exists():
            lines = self._path.read_text(encoding="utf-8").splitlines()
            if lines[:1] == [way]:
                # Of a line that a power cut tore nothing is believed.
                self._done = dict(found for line in lines[1:] if (found := _entry(line)) is not None)
                return
        self._path.write_text(f"{way}\n", encoding="utf-8")

    def copied_until(self, target: str) -> Time | None:
        at = self._done.get(target)
        return None if at is None else Time(at)

    def note(self, target: str, until: Time) -> None:
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps([target, int(until)]) + "\n")

    def close(self) -> None:
        self._path.unlink(missing_ok=True)


def _entry(line: str) -> tuple[str, int] | None:
    try:
        target, until = json.loads(line)
    except (ValueError, TypeError):
        return None
    return (target, until) if isinstance(target, str) and isinstance(until, int) else None


def copy(source: Store, destination: Store, progress: Progress, show: Callable[[float], None]) -> int:
    """How many raw cycles were written; `show` is told the share that is done. Raises StoreError, OSError.

    Marks are not copied: every site sends what it still has again, and what is there already is there once.
    """
    destination.prepare()
    targets, cycles = source.targets(), 0
    _put(destination, Batch(incidents=source.incidents(Time(0), end_of_time())))
    for number, target in enumerate(targets):
        begun, until = Time.now(), progress.copied_until(target)
        cycles += _copy_target(source, destination, target, Time(0) if until is None else Time(until - DAY_MS))
        progress.note(target, begun)
        show(0.95 * (number + 1) / len(targets))
    _sum_up(destination, show)
    progress.close()
    return cycles


def _copy_target(source: Store, destination: Store, target: str, start: Time) -> int:
    cycles = 0
    summed: set[tuple[str, int, int]] = set()
    for results in _written_behind(destination, batched(source.raw_cycles(target, start, end_of_time()))):
        cycles += len(results)
        summed |= {(one.site, width, one.at // width) for width in _SUMMED_AGAIN_MS for one in results}
    sums = source.sums(target, start, end_of_time())
    # Of the others the destination has the cycles, and sums them up itself.
    for some in batched(
        one for one in sums if (one.site, one.width_ms, one.rollup.start // one.width_ms) not in summed
    ):
        destination.write_sums(some)
    definitions = source.definitions([target]).get(target, ())
    _put(destination, Batch(definitions=definitions))
    for traces in batched(source.traces([target], Time(0), end_of_time()).get(target, ())):
        _put(destination, Batch(traces=traces))
    for site, records in source.states([target], Time(0), end_of_time()).get(target, {}).items():
        for states in batched(states_of(target, site, records)):
            _put(destination, Batch(states=states))
        for silences in batched(records.silences):
            _put(destination, Batch(silences=silences))
    return cycles


def _written_behind(destination: Store, batches: Iterable[list[ProbeResult]]) -> Iterator[list[ProbeResult]]:
    """While one is written, the next one is read. All of them are stored at the end."""
    with ThreadPoolExecutor(max_workers=1) as writer:
        last: Future[None] | None = None
        for results in batches:
            if last is not None:
                last.result()
            last = writer.submit(_put, destination, Batch(results=results))
            yield results
        if last is not None:
            last.result()


def states_of(target: str, site: str, records: SiteRecords) -> Iterator[SiteState]:
    for one in records.states:
        yield SiteState(
            site=site, target=target, epoch=one.epoch, seq=one.seq, state=State(one.state), since=one.since,
            reason=one.reason, code=one.code, at=one.since,
        )  # fmt: skip


def _put(destination: Store, batch: Batch) -> None:
    rejected = destination.write(batch).rejected
    if rejected:
        raise StoreError(_refusal(rejected[0]), can_retry=False)


def _refusal(one: Rejected) -> str:
    return f"a record was refused: {one.reason}; what is copied before it stays, and the copy may be begun again"


def _sum_up(destination: Store, show: Callable[[float], None]) -> None:
    """What the recorder would do: so long it would take who asks for years to read their raw cycles."""
    most = 0
    while left := destination.maintain(Time(0), _MAINTAIN_S).backlog_rows:
        most = max(most, left)
        show(0.95 + 0.05 * (1 - left / most))


def batched(records: Iterable[_T]) -> Iterator[list[_T]]:
    ahead = iter(records)
    while batch := list(itertools.islice(ahead, _IN_A_BATCH)):
        yield batch


def end_of_time() -> Time:
    # What a wrong clock dated ahead too.
    return Time(Time.now() + 3660 * DAY_MS)
