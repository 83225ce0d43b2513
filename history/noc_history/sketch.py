"""A sketch of many RTTs: small, mergeable, and any percentile read from it is within 1 % of the true one.

This is DDSketch (Masson, Rim, Lee: "DDSketch: a fast and fully-mergeable quantile sketch with
relative-error guarantees", VLDB 2019): counts of buckets whose bounds grow by a constant factor. RTTs
are whole microseconds up to ten minutes, so there are about a thousand buckets at most, and none is
ever given up: merging loses nothing, in whatever order it is done.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import accumulate
from math import log
from operator import add
from typing import Final

ERROR: Final = 0.01
"""Of a percentile, relative to the true value of the same rank."""
_GAMMA: Final = (1 + ERROR) / (1 - ERROR)
_SCALE: Final = 1 / log(_GAMMA)
# Of a bucket that goes from 1 to gamma: no further than ERROR from either end.
_MIDDLE: Final = 2 * _GAMMA / (1 + _GAMMA)
# Of each bucket up to that of ten minutes, the longest RTT there is.
_VALUES_US: Final = (0.0, *(_MIDDLE * _GAMMA**power for power in range(int(log(600_000_000) * _SCALE) + 2)))
_HEAD_BYTES: Final = 3
# Of so many sketches with counts of one byte no sum exceeds two, and with counts of two bytes none exceeds four.
_MOST_IN_TWO_BYTES: Final = 257
_IN_LANES: Final = frozenset((1, 2))
_MOST_IN_FOUR_BYTES: Final = 1 << 16
_CODES: Final = {1: "B", 2: "H", 4: "I", 8: "Q"}


class Sketch:
    """Never changed once made. Bucket 0 counts zeros; bucket n those from gamma**(n - 1) on, in microseconds."""

    __slots__ = ("_counts", "_first")

    def __init__(self, first: int, counts: Sequence[int]) -> None:
        """`counts` are of the bucket `first` and those after it; neither the first nor the last of them is 0."""
        self._first = first
        self._counts = counts

    @property
    def count(self) -> int:
        """How many RTTs it has seen."""
        return sum(self._counts)

    @classmethod
    def of(cls, rtts_us: Iterable[int]) -> Sketch:
        buckets = [int(log(rtt) * _SCALE) + 1 if rtt else 0 for rtt in rtts_us]
        if not buckets:
            return cls(0, ())
        first = min(buckets)
        counts = [0] * (max(buckets) - first + 1)
        for bucket in buckets:
            counts[bucket - first] += 1
        return cls(first, counts)

    @classmethod
    def merged(cls, sketches: Iterable[Sketch]) -> Sketch:
        """What one sketch of all their RTTs would be."""
        some = [one for one in sketches if one._counts]
        return cls._summed([one._first for one in some], [one._counts for one in some])

    @classmethod
    def merged_encoded(cls, sketches: Iterable[bytes]) -> bytes:
        """The same of encoded ones: a chart of a quarter has thousands. Raises ValueError as `decode` does."""
        some = [one for one in sketches if one]
        if len(some) < 2:
            return some[0] if some else b""
        widths = {one[0] for one in some}
        # All counts of a sketch as one number, in lanes of so many bytes that no sum is greater: adding these adds
        # all of them at once.
        if widths == {1} and len(some) <= _MOST_IN_TWO_BYTES:
            lane = 2
        elif widths <= _IN_LANES and len(some) <= _MOST_IN_FOUR_BYTES:
            lane = 4
        else:
            return cls.merged(map(cls.decode, some)).encode()
        firsts = [one[1] | one[2] << 8 for one in some]
        first, total = min(firsts), 0
        for one, its_first in zip(some, firsts, strict=True):
            width = one[0]
            lanes = bytearray((len(one) - _HEAD_BYTES) // width * lane)
            lanes[::lane] = one[_HEAD_BYTES::width]
            if width > 1:
                lanes[1::lane] = one[_HEAD_BYTES + 1 :: width]
            total += int.from_bytes(lanes, "little") << 8 * lane * (its_first - first)
        raw = total.to_bytes(-(-total.bit_length() // (8 * lane)) * lane, "little")
        if lane == 2 and not any(raw[1::2]):
            return bytes((1, first & 0xFF, first >> 8)) + raw[::2]
        return cls(first, array(_CODES[lane], raw)).encode()

    @classmethod
    def _summed(cls, firsts: Sequence[int], counts: Sequence[Sequence[int]]) -> Sketch:
        if len(firsts) < 2:
            return cls(firsts[0], counts[0]) if firsts else cls(0, ())
        first = min(firsts)
        summed = [0] * (max(map(add, firsts, map(len, counts))) - first)
        for one, its_counts in zip(firsts, counts, strict=True):
            start = one - first
            end = start + len(its_counts)
            summed[start:end] = map(add, summed[start:end], its_counts)
        return cls(first, summed)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sketch) and (self._first, [*self._counts]) == (other._first, [*other._counts])

    __hash__ = None  # type: ignore[assignment]  # compared in tests only

    def percentiles_us(self, percents: Sequence[float]) -> list[float]:
        """One value for each of `percents`; nothing where no RTT was seen.

        The value stands for the RTT of rank floor(percent / 100 * (count - 1)), counted from 0.
        """
        if not self._counts:
            return []
        passed = list(accumulate(self._counts))
        return [_VALUES_US[self._first + bisect_right(passed, rank)] for rank in _ranks(passed[-1], *percents)]

    def encode(self) -> bytes:
        """Bytes a count, the first bucket, and the counts: what packs them has an eye for zeros."""
        if not self._counts:
            return b""
        most = max(self._counts)
        if most < 1 << 8:
            return bytes((1, self._first & 0xFF, self._first >> 8, *self._counts))
        width = next(one for one in _CODES if most < 1 << 8 * one)
        return bytes((width, self._first & 0xFF, self._first >> 8)) + array(_CODES[width], self._counts).tobytes()

    @classmethod
    def decode(cls, data: bytes) -> Sketch:
        """Raises ValueError for what no sketch encodes to."""
        if not data:
            return cls(0, ())
        counts, first = _counts_in(data), data[1] | data[2] << 8
        if first + len(counts) > len(_VALUES_US):
            raise ValueError("a sketch of longer RTTs than there are")
        return cls(first, counts)


@lru_cache(4096)
def _ranks(count: int, *percents: float) -> tuple[int, ...]:
    return tuple([int(percent * (count - 1) / 100) for percent in percents])


def _counts_in(data: bytes) -> Sequence[int]:
    if len(data) <= _HEAD_BYTES or data[0] not in _CODES:
        raise ValueError("a sketch without counts")
    return data[_HEAD_BYTES:] if data[0] == 1 else array(_CODES[data[0]], data[_HEAD_BYTES:])
