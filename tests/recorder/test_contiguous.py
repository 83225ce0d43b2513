"""The mark of a journal: how far it is stored without a hole, in whatever order its records come."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from noc_recorder.contiguous import Contiguous, Ledger

Step = tuple[str, int]


@pytest.mark.parametrize(
    ("arrived", "mark", "waiting"),
    [
        ([], -1, 0),
        ([0], 0, 0),
        ([0, 1, 2], 2, 0),
        ([2, 1, 0], 2, 0),
        ([0, 0, 1, 1], 1, 0),
        ([1], -1, 1),
        ([0, 2, 3], 0, 2),
        ([0, 2, 2, 3, 1], 3, 0),
        ([5, 0, 3, 1], 1, 2),
    ],
    ids=[
        "nothing came",
        "the first record",
        "in order",
        "backwards",
        "each twice",
        "the first is missing",
        "a hole stops the mark",
        "a filled hole lets it jump",
        "two holes",
    ],
)
def test_the_mark_is_the_last_record_before_the_first_hole(arrived: list[int], mark: int, waiting: int) -> None:
    books = Contiguous(epoch=1)
    for seq in arrived:
        books.stored(seq)
    assert (books.mark, books.waiting) == (mark, waiting)
    assert all(books.has(seq) for seq in arrived)


@given(st.lists(st.integers(0, 30)))
def test_no_order_and_no_repetition_moves_the_mark_past_a_record_that_is_not_stored(arrived: list[int]) -> None:
    books, model = Contiguous(epoch=1), set[int]()
    for seq in arrived:
        books.stored(seq)
        model.add(seq)
        assert books.mark == max(n for n in range(-1, 32) if all(k in model for k in range(n + 1)))
        assert [n for n in range(32) if books.has(n)] == sorted(model)
        assert books.waiting == sum(n > books.mark for n in model)


@given(st.permutations(range(25)))
def test_when_all_have_come_the_mark_is_the_last_and_nothing_waits(arrived: list[int]) -> None:
    books = Contiguous(epoch=1)
    for seq in arrived:
        books.stored(seq)
    assert (books.mark, books.waiting) == (24, 0)


@given(st.lists(st.tuples(st.sampled_from(["stored", "begins_at"]), st.integers(0, 20))))
def test_the_mark_passes_only_what_is_stored_or_declared_gone(steps: list[Step]) -> None:
    books = Contiguous(epoch=1)
    stored, gone = set[int](), set[int]()
    for act, seq in steps:
        before = books.mark
        if act == "stored":
            books.stored(seq)
            if seq not in gone:
                stored.add(seq)
        else:
            books.begins_at(seq)
            gone |= {n for n in range(seq) if n not in stored}
        covered = stored | gone
        assert books.mark == max(n for n in range(-1, 22) if all(k in covered for k in range(n + 1)))
        assert books.mark >= before
    assert books.declared_gone == len(gone)


def test_a_journal_that_begins_before_the_mark_declares_nothing_gone() -> None:
    books = Contiguous(epoch=1, mark=9)
    books.begins_at(4)
    books.begins_at(10)
    assert (books.mark, books.declared_gone) == (9, 0)


def test_a_new_epoch_begins_its_books_anew_and_an_older_one_moves_no_mark() -> None:
    ledger = Ledger()
    ledger.of("here", 5).stored(0)
    assert ledger.of("here", 7).mark == -1
    ledger.of("here", 7).stored(0)
    assert ledger.of("here", 7).has(0)
    assert not ledger.is_current("here", 5)
    assert ledger.is_current("here", 7)
    assert ledger.is_current("here", 8)
    assert ledger.is_current("a site never heard of", 1)
    assert ledger.of("here", 5) is ledger.of("here", 7)
    assert ledger.marks() == {"here": (7, 0)}


def test_sites_do_not_share_books() -> None:
    ledger = Ledger()
    ledger.of("here", 1).stored(0)
    ledger.of("there", 1).stored(3)
    assert ledger.marks() == {"here": (1, 0), "there": (1, -1)}
    assert ledger.waiting == 1


def test_after_a_restart_the_books_go_on_at_the_stored_mark() -> None:
    ledger = Ledger()
    ledger.restore("here", 3, 41)
    books = ledger.of("here", 3)
    assert books.has(41)
    assert not books.has(42)
    books.stored(42)
    assert ledger.marks() == {"here": (3, 42)}


@given(st.lists(st.integers(0, 60), max_size=80), st.data())
def test_what_was_not_stored_after_all_is_as_if_it_had_never_come(seqs: list[int], data: st.DataObject) -> None:
    taken_back = data.draw(st.sets(st.sampled_from(seqs))) if seqs else set()
    books, plain = Contiguous(1), Contiguous(1)
    for seq in seqs:
        books.stored(seq)
    books.take_back(taken_back)
    for seq in seqs:
        if seq not in taken_back:
            plain.stored(seq)
    assert books == plain
    assert [books.has(seq) for seq in range(62)] == [seq in set(seqs) - taken_back for seq in range(62)]
    for seq in taken_back:
        books.stored(seq)
    assert all(books.has(seq) for seq in seqs)


def test_millions_behind_a_hole_cost_no_memory() -> None:
    books = Contiguous(1)
    for seq in range(1, 200_000):
        books.stored(seq)
    assert (books.mark, books.waiting, len(books._beyond)) == (-1, 199_999, 1)
    books.stored(0)
    assert books.mark == 199_999
