"""Long calculations: what is kept of them for whoever comes back, and for how long."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from noc_web.jobs import Job, Jobs, Told


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def jobs(clock: Clock) -> Iterator[Jobs[str, str]]:
    made: Jobs[str, str] = Jobs("test", "Too many.", clock=clock)
    yield made
    made.close()


def gives(result: str) -> Callable[[Told], str]:
    return lambda told: result


def test_what_took_longer_than_it_is_kept_is_there_for_who_waited(jobs: Jobs[str, str], clock: Clock) -> None:
    def long(told: Told) -> str:
        clock.now_s += 500
        return "first"

    assert jobs.ask("a", long).awaited(20) == (100, "first")
    assert jobs.ask("a", gives("second")).awaited(20) == (100, "first")
    clock.now_s += 121
    assert jobs.ask("a", gives("second")).awaited(20) == (100, "second")


def test_by_its_name_a_result_stays_what_it_was_until_a_few_others_are_there(
    jobs: Jobs[str, str], clock: Clock
) -> None:
    job = jobs.ask("a", gives("a"))
    assert job.awaited(20) == (100, "a")
    clock.now_s += 500
    assert jobs.kept("a") is job
    for name in "bcdefg":
        jobs.ask(name, gives(name)).awaited(20)
    assert jobs.kept("a") is None
    assert jobs.kept("b") is not None


def test_what_is_being_calculated_stays_while_others_are_looked_at_again(jobs: Jobs[str, str]) -> None:
    for name in "bcdef":
        jobs.ask(name, gives(name)).awaited(20)
    entered, go_on = threading.Event(), threading.Event()

    def slow(told: Told) -> str:
        entered.set()
        assert go_on.wait(20)
        return "slow"

    job = jobs.ask("slow", slow)
    assert entered.wait(20)
    for name in "bcdef":
        jobs.ask(name, gives("again"))
    jobs.ask("g", gives("g"))
    assert jobs.kept("slow") is job
    go_on.set()
    assert job.awaited(20) == (100, "slow")


def test_a_hundred_percent_are_never_told_without_the_result() -> None:
    job: Job[str] = Job()
    job.told(5, 5)
    assert job.awaited(0) == (99, None)
    job.future.set_result("here")
    assert job.awaited(0) == (100, "here")


def test_what_failed_is_calculated_again_for_who_asks_again(jobs: Jobs[str, str]) -> None:
    def fails(told: Told) -> str:
        raise ValueError("no store")

    with pytest.raises(ValueError, match="no store"):
        jobs.ask("a", fails).awaited(20)
    assert jobs.ask("a", gives("there")).awaited(20) == (100, "there")
