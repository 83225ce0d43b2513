"""A sketch of many RTTs: small, mergeable, and any percentile read from it is within 1 % of the true one.

This is DDSketch (Masson, Rim, Lee: "DDSketch: a fast and fully-mergeable quantile sketch with
relative-error guarantees", VLDB 2019): counts of buckets whose bounds grow by a constant factor. RTTs
are whole microseconds up to ten minutes, so there are about a thousand buckets at most, and none is
ever given up: merging loses nothing, in whatever order it is done.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from math import log
from typing import Final

ERROR: Final = 0.01
"""Of a percentile, relative to the true value of the same rank."""
_GAMMA: Final = (1 + ERROR) / (1 - ERROR)
_SCALE: Final = 1 / log(_GAMMA)
# Of a bucket that goes from 1 to gamma: no further than ERROR from either end.
_MIDDLE: Final = 2 * _GAMMA / (1 + _GAMMA)


class Sketch:
    """Never changed once made. Bucket 0 counts zeros; bucket n those from gamma**(n - 1) on, in microseconds."""

    __slots__ = ("_counts", "count")

    def __init__(self, counts: Mapping[int, int]) -> None:
        self._counts = counts
        self.count = sum(counts.values())
        """How many RTTs it has seen."""

    @classmethod
    def of(cls, rtts_us: Iterable[int]) -> Sketch:
        return cls(Counter([int(log(rtt) * _SCALE) + 1 if rtt else 0 for rtt in rtts_us]))

    @classmethod
    def merged(cls, sketches: Iterable[Sketch]) -> Sketch:
        """What one sketch of all their RTTs would be."""
        counts: Counter[int] = Counter()
        for sketch in sketches:
            counts.update(sketch._counts)
        return cls(counts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sketch) and self._counts == other._counts

    __hash__ = None  # type: ignore[assignment]  # compared in tests only

    def percentiles_us(self, percents: Sequence[float]) -> list[float]:
        """One value for each of `percents`, which rise; nothing where no RTT was seen.

        The value stands for the RTT of rank floor(percent / 100 * (count - 1)), counted from 0.
        """
        if not self.count:
            return []
        found: list[float] = []
        passed = 0
        for bucket in sorted(self._counts):
            passed += self._counts[bucket]
            while len(found) < len(percents) and int(percents[len(found)] * (self.count - 1) / 100) < passed:
                found.append(_MIDDLE * _GAMMA ** (bucket - 1) if bucket else 0.0)
        return found

    def encode(self) -> bytes:
        """The first bucket, then the counts one after the other; a 0 is followed by how many buckets are empty."""
        out = bytearray()
        next_bucket = 0
        for bucket in sorted(self._counts):
            if bucket > next_bucket and out:
                out.append(0)
                _put(out, bucket - next_bucket)
            elif not out:
                _put(out, bucket)
            _put(out, self._counts[bucket])
            next_bucket = bucket + 1
        return bytes(out)

    @classmethod
    def decode(cls, data: bytes) -> Sketch:
        """Raises ValueError for what no sketch encodes to."""
        return cls.merged_from([data])

    @classmethod
    def merged_from(cls, encoded: Iterable[bytes]) -> Sketch:
        """As `merged`, of encoded ones. Raises ValueError for what no sketch encodes to."""
        counts: dict[int, int] = {}
        for data in encoded:
            numbers = iter(data if data.isascii() else _numbers(data))
            bucket = next(numbers, 0)
            before = len(counts)
            for number in numbers:
                if number:
                    counts[bucket] = counts.get(bucket, 0) + number
                    bucket += 1
                else:
                    bucket += next(numbers, 0)
            if len(data) == 1 or (data and not before and not counts):
                raise ValueError("a sketch without counts")
        return cls(counts)


def _put(out: bytearray, number: int) -> None:
    """Seven bits a byte, lowest first; the eighth says that more follow."""
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)


def _numbers(data: bytes) -> Iterable[int]:
    number = shift = 0
    for byte in data:
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            yield number
            number = shift = 0
    if shift:
        raise ValueError("a sketch that is cut off")
