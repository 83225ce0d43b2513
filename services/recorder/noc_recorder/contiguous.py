"""Which journal records of a site are stored, and up to where without a hole. Pure bookkeeping."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Collection
from dataclasses import dataclass, field


@dataclass
class Contiguous:
    """Records of one epoch of one site's journal. `mark`: everything up to it is stored; -1: nothing yet."""

    epoch: int
    mark: int = -1
    declared_gone: int = 0
    # What is stored beyond the mark, as ranges from first to last: a hole may stay for days, and millions behind it.
    _beyond: list[tuple[int, int]] = field(default_factory=list)

    def has(self, seq: int) -> bool:
        """Whether this record is stored already."""
        if seq <= self.mark:
            return True
        place = self._place(seq)
        return place >= 0 and seq <= self._beyond[place][1]

    def stored(self, seq: int) -> None:
        """This record is stored now, in whatever order it came."""
        if self.has(seq):
            return
        place = self._place(seq)
        first = last = seq
        if place + 1 < len(self._beyond) and self._beyond[place + 1][0] == seq + 1:
            last = self._beyond.pop(place + 1)[1]
        if place >= 0 and self._beyond[place][1] == seq - 1:
            first = self._beyond.pop(place)[0]
        insort(self._beyond, (first, last))
        self._advance()

    def take_back(self, seqs: Collection[int]) -> None:
        """These were not stored after all."""
        lowest = min(seqs, default=self.mark + 1)
        if lowest <= self.mark:
            self._beyond.insert(0, (lowest, self.mark))
            self.mark = lowest - 1
        for seq in seqs:
            self._drop(seq)
        self._advance()

    def begins_at(self, oldest_seq: int) -> None:
        """The journal has nothing older than this: what is missing before it is gone for good, and declared so."""
        if oldest_seq - 1 > self.mark:
            before = self.waiting
            self._beyond = [(max(first, oldest_seq), last) for first, last in self._beyond if last >= oldest_seq]
            self.declared_gone += oldest_seq - 1 - self.mark - (before - self.waiting)
            self.mark = oldest_seq - 1
            self._advance()

    @property
    def waiting(self) -> int:
        """Stored records that a hole keeps the mark from reaching."""
        return sum(last - first + 1 for first, last in list(self._beyond))

    def _place(self, seq: int) -> int:
        """Of the last range that begins at it or before; -1: none does."""
        return bisect_right(self._beyond, seq, key=lambda one: one[0]) - 1

    def _drop(self, seq: int) -> None:
        place = self._place(seq)
        if place >= 0 and seq <= self._beyond[place][1]:
            first, last = self._beyond.pop(place)
            rest = [(first, seq - 1), (seq + 1, last)]
            self._beyond[place:place] = [one for one in rest if one[0] <= one[1]]

    def _advance(self) -> None:
        if self._beyond and self._beyond[0][0] == self.mark + 1:
            self.mark = self._beyond.pop(0)[1]


class Ledger:
    """All sites' journals. The epoch in use is the last one heard of."""

    def __init__(self) -> None:
        self._sites: dict[str, Contiguous] = {}

    def restore(self, site: str, epoch: int, seq: int) -> None:
        """Go on from a mark that was stored."""
        self._sites[site] = Contiguous(epoch, seq)

    def of(self, site: str, epoch: int) -> Contiguous:
        """The books of this epoch. A new epoch is a new journal: the old one will not come back."""
        books = self._sites.get(site)
        if books is None or epoch > books.epoch:
            books = self._sites[site] = Contiguous(epoch)
        return books

    def is_current(self, site: str, epoch: int) -> bool:
        """False for a record of an older epoch than one already seen: it is stored, but moves no mark."""
        books = self._sites.get(site)
        return books is None or epoch >= books.epoch

    def passes(self, site: str, epoch: int, seq: int) -> bool:
        """Whether the site's mark has passed this record, or its epoch is over."""
        books = self._sites.get(site)
        return books is not None and (books.epoch, books.mark) >= (epoch, seq)

    def marks(self) -> dict[str, tuple[int, int]]:
        """Epoch and sequence number by site."""
        return {site: (books.epoch, books.mark) for site, books in self._sites.items()}

    @property
    def waiting(self) -> int:
        return sum(books.waiting for books in list(self._sites.values()))

    @property
    def declared_gone(self) -> int:
        return sum(books.declared_gone for books in list(self._sites.values()))
