"""Packs cycles of some series into few bytes: columns of differences, byte by byte, deflated.

The RTTs are noise for the most part, which nothing compresses: of each only its distance from the
smallest of its series is kept, and the codes are made anew for each series. Nothing is rounded.
"""

from __future__ import annotations

import struct
import zlib
from array import array
from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import accumulate, chain, pairwise, repeat
from operator import itemgetter
from typing import Any, Final, NamedTuple, TypeVar

from noc_bus.messages import ProbeResult
from noc_bus.time import Time

Row = tuple[int, int, int, int, int, str, tuple[int, ...]]
"""A cycle: series, start in ms since 1970, journal number, sent, received, what else (see `note_of`), RTTs in µs.

The journal number is -1 where version 1 stored the cycle: it knew none.
"""
key: Callable[[Row], tuple[int, int, int]] = itemgetter(0, 1, 2)
"""What names a cycle, and the order in which cycles are packed."""
AT: Final = 1
IN_A_BLOCK: Final = 1024
"""Cycles in a block of an hour, where its series have so many."""

_VERSION: Final = 1
_T = TypeVar("_T", bound=tuple[Any, ...])
_HEAD: Final = struct.Struct("<BI")
_COLUMN: Final = struct.Struct("<BqI")
_CODES: Final[dict[int, str]] = {1: "B", 2: "H", 4: "I", 8: "Q"}
# Series of fewer cycles share the codes of their RTTs with their neighbours.
_IN_A_SECTION: Final = 250


class UnknownPackingError(ValueError):
    """Packed by a newer version, or damaged."""


def row_of(series: int, result: ProbeResult) -> Row:
    rtts_us = tuple([int(rtt * 1000 + 0.5) for rtt in result.rtts_ms])
    return series, int(result.at), result.seq, result.sent, result.received, note_of(result), rtts_us


def note_of(result: ProbeResult) -> str:
    """Empty for a valid cycle without errors; `!code` for an invalid one; then error codes, each after a space."""
    if result.invalid is None and not result.error_codes:
        return ""
    head = "" if result.invalid is None else f"!{result.invalid_code or ''}"
    return " ".join([head, *result.error_codes])


def result_of(row: Row, site: str, target: str) -> ProbeResult:
    """What `row_of` was given, as far as it is kept: see `store.Store.raw_cycles`."""
    _, at, seq, sent, received, note, rtts_us = row
    why_invalid, errors = codes_in(note)
    return ProbeResult(
        site=site, target=target, epoch=0, seq=max(0, seq), at=Time(at), address="", sent=sent, received=received,
        rtts_ms=[us / 1000 for us in rtts_us], errors=list(errors), error_codes=errors,
        invalid=None if why_invalid is None else why_invalid or "invalid", invalid_code=why_invalid or None,
    )  # fmt: skip


def is_valid(row: Row) -> bool:
    return not row[5].startswith("!")


def without_repeats(rows: list[Row]) -> list[Row]:
    """Sorted by `key`, each cycle once: of those of one name, the first in `rows`."""
    rows.sort(key=key)
    kept: list[Row] = []
    name: tuple[int, int, int] = (-1, -1, -1)
    for row in rows:
        series, at, seq = row[:3]
        # A cycle without a number is the same as any of its moment.
        if series == name[0] and at == name[1] and (seq == name[2] or name[2] == -1):
            continue
        name = series, at, seq
        kept.append(row)
    return kept


def portions(rows: Sequence[_T], size: int) -> Iterator[Sequence[_T]]:
    """Runs of at least `size` of what is sorted by series, the last one perhaps less; no series is in two of them."""
    start = 0
    while start < len(rows):
        end = start + size
        while end < len(rows) and rows[end][0] == rows[end - 1][0]:
            end += 1
        yield rows[start:end]
        start = end


def pack(rows: Sequence[Row]) -> bytes:
    """`rows` are sorted by `key` and not empty."""
    series, at, seq, sent, received, notes, rtts = zip(*rows, strict=True)
    starts = [0, *(n for n, (one, other) in enumerate(pairwise(series), 1) if one != other)]
    ends = [*starts[1:], len(rows)]
    at_steps: list[int] = []
    seq_steps: list[int] = []
    lows: list[int] = []
    sections: list[list[int]] = [[]]
    in_section = 0
    for start, end in zip(starts, ends, strict=True):
        if end - start > 1:
            at_steps += [later - earlier for earlier, later in pairwise(at[start:end])]
            seq_steps += [later - earlier for earlier, later in pairwise(seq[start:end])]
        flat = list(chain.from_iterable(rtts[start:end])) if end - start > 1 else rtts[start]
        low = min(flat, default=0)
        lows.append(low)
        if in_section >= _IN_A_SECTION:
            sections.append([])
            in_section = 0
        sections[-1] += [rtt - low for rtt in flat]
        in_section += end - start
    known = {"": 0}
    numbers = [known.setdefault(note, len(known)) for note in notes]
    columns = [
        packed_column([series[0], *(series[end] - series[start] for start, end in pairwise(starts))]),
        packed_column([end - start for start, end in zip(starts, ends, strict=True)]),
        packed_column([at[start] for start in starts]),
        packed_column([seq[start] for start in starts]),
        packed_column(lows),
        packed_column(at_steps),
        packed_column(seq_steps),
        packed_column(sent),
        packed_column([one - other for one, other in zip(sent, received, strict=True)]),
        packed_column([len(one) - other for one, other in zip(rtts, received, strict=True)]),
        packed_column(numbers),
    ]
    text = "\n".join(known).encode()
    index = zlib.compress(b"".join([*columns, text]), 6, wbits=-15)
    return b"".join([_HEAD.pack(_VERSION, len(index)), index, _deflated(sections)])


def unpack(data: bytes, only: Collection[int] | None = None) -> list[Row]:
    """What `pack` was given; of some series alone, where they are named. Raises UnknownPackingError."""
    try:
        return _unpacked(data) if only is None else _unpacked_some(data, only)
    except UnknownPackingError:
        raise
    except (struct.error, zlib.error, IndexError, ValueError) as error:
        raise UnknownPackingError(f"cycles that cannot be read: {error}") from error


def has_notes(data: bytes) -> bool:
    """Whether any cycle in it is invalid or has an error; most portions have none."""
    index, _ = _streams(data)
    for _ in range(11):
        index.next()
    return index.rest() != b""


def codes_in(note: str) -> tuple[str | None, list[str]]:
    """Of what `note_of` has made: the code for which the cycle is invalid (empty: without a code), and those of errors."""
    head, *errors = note.split(" ")
    return (head[1:] if head.startswith("!") else None), errors


def times(data: bytes) -> Iterator[tuple[int, list[int]]]:
    """Each series in it with the starts of its cycles; a tenth of the work of `unpack`."""
    index, _ = _streams(data)
    series, lengths, first_at, _, _, at_steps = (index.next() for _ in range(6))
    step = 0
    for one, length, at in zip(accumulate(series.all()), lengths.all(), first_at.all(), strict=True):
        yield one, list(accumulate(at_steps.part(step, step + length - 1), initial=at))
        step += length - 1


def _deflated(sections: Sequence[Sequence[int]]) -> bytes:
    deflate = zlib.compressobj(6, zlib.DEFLATED, -15, 9, zlib.Z_RLE)
    out: list[bytes] = []
    for section in sections:
        out += [deflate.compress(packed_column(section)), deflate.flush(zlib.Z_BLOCK)]
    out.append(deflate.flush())
    return b"".join(out)


def packed_column(values: Sequence[int]) -> bytes:
    """Distances from the smallest, the lowest bytes of all first."""
    if not values:
        return _COLUMN.pack(0, 0, 0)
    low, high = min(values), max(values)
    if low == high:
        return _COLUMN.pack(0, low, len(values))
    width = next(one for one in _CODES if high - low < 1 << 8 * one)
    raw = array(_CODES[width], [value - low for value in values] if low else values).tobytes()
    planes = raw if width == 1 else b"".join([raw[place::width] for place in range(width)])
    return _COLUMN.pack(width, low, len(values)) + planes


class _Column(NamedTuple):
    """Where a column is in what was inflated; nothing is read that is not asked for."""

    data: bytes
    start: int
    width: int
    low: int
    length: int

    def all(self) -> list[int]:
        return self.part(0, self.length)

    def part(self, first: int, end: int) -> list[int]:
        if not self.width:
            return [self.low] * (end - first)
        if self.width == 1:
            values = self.data[self.start + first : self.start + end]
            return [value + self.low for value in values] if self.low else list(values)
        raw = bytearray(self.width * (end - first))
        for place in range(self.width):
            plane = self.start + place * self.length
            raw[place :: self.width] = self.data[plane + first : plane + end]
        wide = array(_CODES[self.width])
        wide.frombytes(raw)
        return [value + self.low for value in wide] if self.low else wide.tolist()


class Columns:
    """Finds columns one after the other."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._place = 0

    def next(self) -> _Column:
        width, low, count = _COLUMN.unpack_from(self._data, self._place)
        start = self._place + _COLUMN.size
        self._place = start + width * count
        return _Column(self._data, start, width, low, count)

    def rest(self) -> bytes:
        return self._data[self._place :]


def _streams(data: bytes) -> tuple[Columns, bytes]:
    version, size = _HEAD.unpack_from(data)
    if version != _VERSION:
        raise UnknownPackingError(f"cycles packed in the way {version}; this program knows {_VERSION} only")
    end = _HEAD.size + size
    return Columns(_inflated(data[_HEAD.size : end])), data[end:]


def _unpacked(data: bytes) -> list[Row]:
    index, deflated = _streams(data)
    columns = [index.next().all() for _ in range(11)]
    series, lengths, first_at, first_seq, lows, at_steps, seq_steps, sent, lost, more, numbers = columns
    notes = index.rest().decode().split("\n")
    sections = Columns(_inflated(deflated))
    received = [a - b for a, b in zip(sent, lost, strict=True)]
    ends = list(accumulate([a + b for a, b in zip(received, more, strict=True)], initial=0))
    at: list[int] = []
    seq: list[int] = []
    flat: list[int] = []
    section: list[int] = []
    place = step = section_start = in_section = 0
    for length, one_at, one_seq, low in zip(lengths, first_at, first_seq, lows, strict=True):
        if not place or in_section >= _IN_A_SECTION:
            section, section_start, in_section = sections.next().all(), ends[place], 0
        end = place + length
        if length == 1:
            at.append(one_at)
            seq.append(one_seq)
        else:
            at += accumulate(at_steps[step : step + length - 1], initial=one_at)
            seq += accumulate(seq_steps[step : step + length - 1], initial=one_seq)
            step += length - 1
        flat += [rtt + low for rtt in section[ends[place] - section_start : ends[end] - section_start]]
        place, in_section = end, in_section + length
    of_rows = chain.from_iterable(map(repeat, accumulate(series), lengths))
    rtts = [tuple(flat[start:stop]) for start, stop in pairwise(ends)]
    return list(zip(of_rows, at, seq, sent, received, [notes[number] for number in numbers], rtts, strict=True))


def _unpacked_some(data: bytes, only: Collection[int]) -> list[Row]:
    """As `_unpacked`, and of other series no more is read than it takes to find these."""
    index, deflated = _streams(data)
    all_series = list(accumulate(index.next().all()))
    wanted = [number for number, one in enumerate(all_series) if one in only]
    if not wanted:
        return []
    lengths = index.next().all()
    first_at, first_seq, lows, at_steps, seq_steps, sent, lost, more, numbers = (index.next() for _ in range(9))
    notes = index.rest().decode().split("\n")
    sections = Columns(_inflated(deflated))
    section = sections.next()
    place = in_section = section_at = passed = 0
    found: list[Row] = []
    for number in wanted:
        for length in lengths[passed:number]:
            if in_section >= _IN_A_SECTION:
                section, section_at, in_section = sections.next(), place, 0
            place += length
            in_section += length
        if in_section >= _IN_A_SECTION:
            section, section_at, in_section = sections.next(), place, 0
        passed = number
        step, end = place - number, place + lengths[number]
        starts = accumulate(_counts(sent, lost, more, section_at, end), initial=0)
        ends = list(starts)[place - section_at :]
        low, at, seq = (column.part(number, number + 1)[0] for column in (lows, first_at, first_seq))
        flat = [rtt + low for rtt in section.part(ends[0], ends[-1])]
        here, missed = sent.part(place, end), lost.part(place, end)
        found += zip(
            repeat(all_series[number], end - place),
            accumulate(at_steps.part(step, step + end - place - 1), initial=at),
            accumulate(seq_steps.part(step, step + end - place - 1), initial=seq),
            here,
            [a - b for a, b in zip(here, missed, strict=True)],
            [notes[one] for one in numbers.part(place, end)],
            [tuple(flat[start - ends[0] : stop - ends[0]]) for start, stop in pairwise(ends)],
            strict=True,
        )
    return found


def _inflated(data: bytes) -> bytes:
    # What follows the stream may be the rest of a slot.
    return zlib.decompressobj(-15).decompress(data)


def _counts(sent: _Column, lost: _Column, more: _Column, first: int, end: int) -> list[int]:
    """How many RTTs each cycle has."""
    parts = (sent.part(first, end), lost.part(first, end), more.part(first, end))
    return [a - b + c for a, b, c in zip(*parts, strict=True)]
