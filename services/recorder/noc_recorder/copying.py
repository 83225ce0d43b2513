"""Everything that one store keeps, into another: in the order of targets, and again without harm.

What is copied already is noted in the data folder, so that a copy which was cut off goes on where it was. A
target that is done is looked at again for what has come since, from a day before its copy on.
"""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from noc_bus.messages import ProbeResult, SiteState, State
from noc_bus.time import DAY_MS, HOUR_MS, Time
from noc_history.packing import row_of
from noc_history.rollups import FIVE_MINUTES_MS, Rollup, merged, roll_up
from noc_history.store import Batch, Rejected, SiteRecords, Store, StoreError, Sum

_IN_A_BATCH: Final = 20_000
_MAINTAIN_S: Final = 0.5
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
        # Between two stores elsewhere there may be no data folder here yet.
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
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


@dataclass
class Copied:
    """What one copy came to, in raw cycles.

    `late`: came for hours of which only sums are left, and are summed up too; `left_out`: the same, but there nobody
    can tell what is in the sums. `cycles_from` and `sums_from`: the oldest that it saw.
    """

    cycles: int = 0
    late: int = 0
    left_out: int = 0
    cycles_from: Time | None = None
    sums_from: Time | None = None


def copy(source: Store, destination: Store, progress: Progress, show: Callable[[float], None]) -> Copied:
    """`show` is told the share that is done. Raises StoreError, OSError.

    Marks are not copied: every site sends what it still has again, and what is there already is there once.
    """
    destination.prepare()
    targets, done = source.targets(), Copied()
    _put(destination, Batch(incidents=source.incidents(Time(0), end_of_time())))
    for number, target in enumerate(targets):
        begun, until = Time.now(), progress.copied_until(target)
        start = Time(0) if until is None else Time((until - DAY_MS) // DAY_MS * DAY_MS)
        _copy_target(source, destination, target, start, done)
        progress.note(target, begun)
        show(0.95 * (number + 1) / len(targets))
    _sum_up(destination, show)
    progress.close()
    return done


def _copy_target(source: Store, destination: Store, target: str, start: Time, done: Copied) -> None:
    hours = _Hours(source, target, start)
    for results in _written_behind(destination, batched(hours.whole_cycles())):
        done.cycles += len(results)
    for some in batched(hours.sums_of_others()):
        destination.write_sums(some)
    done.late += hours.late
    done.left_out += hours.left_out
    done.cycles_from = _older(done.cycles_from, hours.cycles_from)
    done.sums_from = _older(done.sums_from, hours.sums_from)
    definitions = source.definitions([target]).get(target, ())
    _put(destination, Batch(definitions=definitions))
    for traces in batched(source.traces([target], Time(0), end_of_time()).get(target, ())):
        _put(destination, Batch(traces=traces))
    for site, records in source.states([target], Time(0), end_of_time()).get(target, {}).items():
        for states in batched(states_of(target, site, records)):
            _put(destination, Batch(states=states))
        for silences in batched(records.silences):
            _put(destination, Batch(silences=silences))


def _older(one: Time | None, other: Time | None) -> Time | None:
    return min((at for at in (one, other) if at is not None), default=None)


class _Hours:
    """Cycles and sums of one target: of each hour of a site either the cycles, or what they were summed up to.

    What comes late for an hour whose cycles are gone is for a while beside its sums, and is far from all of it: by
    that alone a store would sum up the hour anew. Such cycles are added to the sums, as the store itself will do.
    """

    def __init__(self, source: Store, target: str, start: Time) -> None:
        self._source, self._target, self._start = source, target, start
        # Cycles by site, width and start.
        self._summed: dict[tuple[str, int, int], int] = {}
        self._copied: set[tuple[str, int]] = set()
        self._late: dict[tuple[str, int], list[ProbeResult]] = {}
        self.late = self.left_out = 0
        self.cycles_from: Time | None = None
        self.sums_from: Time | None = None
        for one in self._sums():
            if one.width_ms <= HOUR_MS:
                self._summed[one.site, one.width_ms, one.rollup.start] = one.rollup.cycles

    def whole_cycles(self) -> Iterator[ProbeResult]:
        """Those of the hours of which the source has all that it has summed up."""
        cycles = self._source.raw_cycles(self._target, self._start, end_of_time())
        for place, some in itertools.groupby(cycles, lambda one: (one.site, one.at // HOUR_MS)):
            of_hour = list(some)
            if not self._is_whole(of_hour):
                self._late[place] = of_hour
                continue
            self._copied.add(place)
            self.cycles_from = _older(self.cycles_from, of_hour[0].at)
            yield from of_hour

    def _is_whole(self, of_hour: Sequence[ProbeResult]) -> bool:
        site, start = of_hour[0].site, of_hour[0].at // HOUR_MS * HOUR_MS
        found = Counter(one.at // FIVE_MINUTES_MS * FIVE_MINUTES_MS for one in of_hour)
        fives = range(start, start + HOUR_MS, FIVE_MINUTES_MS)
        return len(of_hour) >= self._summed.get((site, HOUR_MS, start), 0) and all(
            found[five] >= self._summed.get((site, FIVE_MINUTES_MS, five), 0) for five in fives
        )

    def sums_of_others(self) -> Iterator[Sum]:
        """The sums of all other hours, and of days; of hours whose cycles are copied the destination makes its own."""
        added = self._added()
        yield from (Sum(self._target, site, FIVE_MINUTES_MS, new) for site in added for new in added[site])
        for one in self._sums():
            start, end = one.rollup.start, one.rollup.start + one.width_ms
            # The day in which the cycles begin has a sum that begins before them.
            if one.width_ms <= HOUR_MS or self.cycles_from is None or end <= self.cycles_from:
                self.sums_from = _older(self.sums_from, Time(start))
            if one.width_ms <= HOUR_MS and (one.site, start // HOUR_MS) in self._copied:
                continue
            more = [new for new in added.get(one.site, ()) if start <= new.start < end]
            yield one._replace(rollup=merged(0, start, [one.rollup, *more]))

    def _added(self) -> dict[str, list[Rollup]]:
        """By site, late cycles summed up over those five minutes of which the source has no sum but could have."""
        found: dict[str, list[Rollup]] = {}
        for (site, hour), late in sorted(self._late.items()):
            fives = range(hour * HOUR_MS, (hour + 1) * HOUR_MS, FIVE_MINUTES_MS)
            known = {five for five in fives if (site, FIVE_MINUTES_MS, five) in self._summed}
            sums = roll_up([row_of(0, one) for one in late], FIVE_MINUTES_MS) if known else []
            new = [one for one in sums if one.start not in known]
            count = sum(one.cycles for one in new)
            self.late += count
            self.left_out += len(late) - count
            found.setdefault(site, []).extend(new)
        return found

    def _sums(self) -> Iterator[Sum]:
        return self._source.sums(self._target, self._start, end_of_time())


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
