"""Charts, whatever store their cycles come from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from noc_bus.time import DAY_MS, HOUR_MS, Time
from noc_history.rollups import Rollup, counts_of
from noc_history.sketch import Sketch
from noc_history.store import PERCENTS, Bucket, Chart, Codes, Silence

_S: Final = 1000
_MIN: Final = 60 * _S
_WIDTHS_MS: Final = (
    *(_S, 2 * _S, 5 * _S, 10 * _S, 15 * _S, 30 * _S, _MIN, 2 * _MIN, 5 * _MIN, 10 * _MIN, 15 * _MIN, 30 * _MIN),
    *(HOUR_MS, 2 * HOUR_MS, 3 * HOUR_MS, 6 * HOUR_MS, 12 * HOUR_MS),
    *(DAY_MS, 2 * DAY_MS, 7 * DAY_MS, 14 * DAY_MS, 28 * DAY_MS),
)


def width_for(start: Time, end: Time, points: int) -> int:
    """The smallest usual width of which at most `points` go into the period."""
    least = -(-(end - start) // points)
    return next((width for width in _WIDTHS_MS if width >= least), -(-least // DAY_MS) * DAY_MS)


def whole_buckets(start: Time, end: Time, width_ms: int) -> tuple[int, int]:
    """From the begin of the first to the end of the last."""
    return start // width_ms * width_ms, -(-end // width_ms) * width_ms


def whole_hours(start: Time, end: Time) -> tuple[Time, Time]:
    return Time(start // HOUR_MS * HOUR_MS), Time(end // HOUR_MS * HOUR_MS)


def codes_of(notes: Iterable[tuple[str | None, Sequence[str]]]) -> Codes:
    """Of each cycle what `packing.codes_in` gives."""
    invalid: Counter[str] = Counter()
    errors: Counter[str] = Counter()
    for why_invalid, of_errors in notes:
        if why_invalid is not None:
            invalid[why_invalid] += 1
        errors.update(of_errors)
    return Codes(invalid, errors)


def chart_of(
    sites: Mapping[str, Sequence[Rollup]], silences: Sequence[Silence], start: Time, end: Time, width_ms: int
) -> Chart:
    """`sites` has for each one rollup for each bucket with cycles, in order."""
    first, last = whole_buckets(start, end, width_ms)
    blind = {site: _blind([one for one in silences if one.site == site], first, last, width_ms) for site in sites}
    sketched = {site: [(one, Sketch.decode(one.sketch)) for one in rollups] for site, rollups in sites.items()}
    found = {
        site: [_bucket(at, parts, blind[site].get(at, 0.0)) for at, parts in _by_start([of_site], blind[site])]
        for site, of_site in sketched.items()
    }
    shares = {at: sum(one.get(at, 0.0) for one in blind.values()) / len(blind) for one in blind.values() for at in one}
    together = [_bucket(at, parts, shares.get(at, 0.0)) for at, parts in _by_start(sketched.values(), shares)]
    return Chart(width_ms, found, together)


_Sketched = tuple[Rollup, Sketch]


def _by_start(groups: Iterable[Sequence[_Sketched]], blind: Mapping[int, float]) -> list[tuple[int, list[_Sketched]]]:
    """All buckets with cycles or blind time."""
    found: dict[int, list[_Sketched]] = {at: [] for at in blind}
    for group in groups:
        for one in group:
            found.setdefault(one[0].start, []).append(one)
    return sorted(found.items())


def _bucket(at: int, parts: Sequence[_Sketched], blind: float) -> Bucket:
    if not parts:
        return Bucket(Time(at), 0, 0, 0, 0, None, None, None, None, blind)
    one, sketch = parts[0]
    if len(parts) > 1:
        one = counts_of(0, at, [part for part, _ in parts])
        sketch = Sketch.merged([part for _, part in parts])
    return _described(at, one, sketch, blind)


def bucket_of(one: Rollup) -> Bucket:
    """What it says, without a word of blind time."""
    return _described(one.start, one, Sketch.decode(one.sketch), 0.0)


def _described(at: int, one: Rollup, sketch: Sketch, blind: float) -> Bucket:
    percentiles_us = sketch.percentiles_us(PERCENTS)
    if not percentiles_us:
        return Bucket(Time(at), one.cycles, one.invalid, one.sent, one.received, None, None, None, None, blind)
    low_us, high_us = one.low_us, one.high_us
    return Bucket(
        Time(at),
        one.cycles,
        one.invalid,
        one.sent,
        one.received,
        low_us / 1000,
        one.sum_us / one.received / 1000 if one.received else None,
        high_us / 1000,
        # The sketch knows them within 1 %, but these two exactly.
        tuple([(low_us if us < low_us else high_us if us > high_us else us) / 1000 for us in percentiles_us]),  # noqa: FURB136  # min() takes three times as long
        blind,
    )


def _blind(silences: Sequence[Silence], first: int, last: int, width_ms: int) -> dict[int, float]:
    """By bucket, the share of its time that silences cover."""
    covered: dict[int, int] = {}
    for one in silences:
        start, until = max(int(one.start), first), min(int(one.until), last)
        for at in range(start // width_ms * width_ms, until, width_ms):
            covered[at] = covered.get(at, 0) + min(until, at + width_ms) - max(start, at)
    return {at: min(1.0, ms / width_ms) for at, ms in covered.items() if ms > 0}
