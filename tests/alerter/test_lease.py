"""Of several alerters on one data folder one acts, and another takes over when it dies or hangs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from noc_alerter.lease import EXPIRES_AFTER_S, Lease, Lost
from noc_alerter.ledger import Ledger
from noc_bus.messages import Incident
from tests.alerter.conftest import T0, entry, letter


class Pair:
    """Two that want it, and a clock that the test turns."""

    def __init__(self, folder: Path) -> None:
        self.now_s = 100.0
        self.ledgers = [Ledger(folder / "alerter.sqlite") for _ in range(2)]
        self.first, self.second = [Lease(one.database, folder, lambda: self.now_s) for one in self.ledgers]

    def passes(self, seconds: int, *, renewing: bool) -> bool:
        """Whether the second one acts at the end of it."""
        for _ in range(seconds):
            self.now_s += 1
            if renewing:
                self.first.renew()
            if self.second.take():
                return True
        return False


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    pair = Pair(tmp_path)
    assert pair.first.take()
    yield pair
    for ledger in pair.ledgers:
        ledger.close()


def test_the_second_one_waits_for_as_long_as_the_first_renews_and_says_who_acts(pair: Pair) -> None:
    assert not pair.passes(60, renewing=True)
    assert "process" in pair.second.holder()


def test_one_that_died_is_followed_at_once(pair: Pair) -> None:
    assert not pair.second.take()
    pair.first.close()
    assert pair.second.take()


def test_one_that_stops_is_followed_at_once(pair: Pair) -> None:
    pair.first.release()
    assert pair.second.take()


def test_one_that_hangs_is_followed_after_ten_seconds_and_finds_out_before_it_does_anything(pair: Pair) -> None:
    assert not pair.passes(round(EXPIRES_AFTER_S), renewing=False)
    assert pair.passes(2, renewing=False)
    with pytest.raises(Lost, match="another alerter"):
        pair.first.renew()
    for _ in range(3):
        pair.second.renew()
    pair.first.close()
    pair.second.renew()


def test_one_that_wakes_up_when_another_acts_writes_nothing_and_mails_nothing(pair: Pair) -> None:
    """Wherever it was when it fell asleep."""
    first, second = pair.ledgers
    first.database.guard = pair.first.guard
    one = Incident(id="i", kind="site-blind", targets=[], site="north", opened_at=T0, cause="x")
    pair.first.insist()
    assert pair.passes(round(EXPIRES_AFTER_S) + 2, renewing=False)
    second.database.guard = pair.second.guard
    with pytest.raises(Lost, match="another alerter"):
        first.keep([entry(one, letter(one))], T0)
    with pytest.raises(Lost, match="another alerter"):
        pair.first.insist()
    assert second.open_cases() == []
    pair.first.release()
    pair.second.renew()
    second.keep([entry(one, letter(one))], T0)
    assert [case.id for case in second.open_cases()] == ["i"]


def test_of_two_that_wait_for_one_that_hangs_one_follows(pair: Pair, tmp_path: Path) -> None:
    third = Lease(pair.ledgers[1].database, tmp_path, lambda: pair.now_s)
    took = []
    for _ in range(15):
        pair.now_s += 1
        took += [name for name, one in (("second", pair.second), ("third", third)) if name not in took and one.take()]
        if took:
            pair.second.renew() if took == ["second"] else third.renew()
    assert len(took) == 1
    third.close()
