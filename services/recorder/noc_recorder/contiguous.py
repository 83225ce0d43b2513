"""Which journal records of a site are stored, and up to where without a hole. Pure bookkeeping."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field


@dataclass
class Contiguous:
    """Records of one epoch of one site's journal. `mark`: everything up to it is stored; -1: nothing yet."""

    epoch: int
    mark: int = -1
    declared_gone: int = 0
    _beyond: set[int] = field(default_factory=set)

    def has(self, seq: int) -> bool:
        """Whether this record is stored already."""
        return seq <= self.mark or seq in self._beyond

    def stored(self, seq: int) -> None:
        """This record is stored now, in whatever order it came."""
        if seq > self.mark:
            self._beyond.add(seq)
            self._advance()

    def take_back(self, seqs: Collection[int]) -> None:
        """These were not stored after all."""
        self._beyond.difference_update(seqs)
        if (first := min(seqs, default=self.mark + 1)) <= self.mark:
            self._beyond.update(seq for seq in range(first, self.mark + 1) if seq not in seqs)
            self.mark = first - 1
            self._advance()

    def begins_at(self, oldest_seq: int) -> None:
        """The journal has nothing older than this: what is missing before it is gone for good, and declared so."""
        if oldest_seq - 1 > self.mark:
            kept = {seq for seq in self._beyond if seq >= oldest_seq}
            self.declared_gone += oldest_seq - 1 - self.mark - (len(self._beyond) - len(kept))
            self.mark, self._beyond = oldest_seq - 1, kept
            self._advance()

    @property
    def waiting(self) -> int:
        """Stored records that a hole keeps the mark from reaching."""
        return len(self._beyond)

    def _advance(self) -> None:
        while self.mark + 1 in self._beyond:
            self.mark += 1
            self._beyond.remove(self.mark)


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
