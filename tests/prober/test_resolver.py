"""Names are resolved beside the probing; a dead name server delays nobody."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from noc_prober.resolver import REFRESH_S, Answer, Resolver


class NameServer:
    """Answers from a table; asked for `stuck…` it says nothing until the test is over."""

    def __init__(self) -> None:
        self.table: dict[str, list[str]] = {}
        self.asked: list[str] = []
        self.release = threading.Event()

    def look_up(self, name: str) -> list[str]:
        self.asked.append(name)
        if name.startswith("stuck"):
            self.release.wait(30)
        if name not in self.table:
            raise OSError(-2, "Name or service not known")
        return self.table[name]


@pytest.fixture
def server() -> Iterator[NameServer]:
    server = NameServer()
    yield server
    server.release.set()


def soon(condition: Callable[[], object]) -> None:
    end_s = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < end_s, "it did not happen in time"
        time.sleep(0.005)


def test_asking_for_names_never_waits_for_the_server(server: NameServer) -> None:
    resolver = Resolver(server.look_up)
    began_s = time.monotonic()
    resolver.want([f"stuck{number}.example" for number in range(500)])
    resolver.tick()
    assert all(resolver.answer(f"stuck{number}.example") is None for number in range(500))
    assert time.monotonic() - began_s < 10, "the server says nothing for 30 s"


def test_the_last_good_addresses_are_kept_while_the_server_is_dead(server: NameServer) -> None:
    clock = [0.0]
    server.table["a.example"] = ["192.0.2.1"]
    resolver = Resolver(server.look_up, clock=lambda: clock[0])
    resolver.want(["a.example"])
    resolver.tick()
    soon(lambda: resolver.answer("a.example"))
    server.table.clear()
    clock[0] += REFRESH_S + 1
    resolver.tick()
    soon(lambda: (resolver.answer("a.example") or Answer((), 0)).error)
    answer = resolver.answer("a.example")
    assert answer is not None
    assert answer.addresses == ("192.0.2.1",)
    assert answer.error == "Name or service not known"
    clock[0] += 25 * 3600
    assert resolver.answer("A.Example") == Answer((), 0.0, "Name or service not known"), "a day is too old"


def test_a_new_address_is_taken_and_told_once(server: NameServer) -> None:
    clock = [0.0]
    learnt: list[tuple[str, tuple[str, ...]]] = []
    server.table["a.example"] = ["192.0.2.1"]
    resolver = Resolver(server.look_up, clock=lambda: clock[0], learnt=lambda *what: learnt.append(what))
    resolver.want(["a.example"])
    for addresses in (["192.0.2.1"], ["192.0.2.1"], ["192.0.2.9"]):
        server.table["a.example"] = addresses
        clock[0] += REFRESH_S + 1
        resolver.tick()
        resolver.tick()
        soon(lambda: resolver.answer("a.example") == Answer(tuple(server.table["a.example"]), clock[0]))
    soon(lambda: len(learnt) == 2)
    assert learnt == [("a.example", ("192.0.2.1",)), ("a.example", ("192.0.2.9",))]
    assert len(server.asked) == 3


def test_a_name_that_does_not_exist_says_so(server: NameServer) -> None:
    resolver = Resolver(server.look_up)
    resolver.want(["nowhere.example"])
    resolver.tick()
    soon(lambda: resolver.answer("nowhere.example"))
    answer = resolver.answer("nowhere.example")
    assert answer is not None
    assert (answer.addresses, answer.error) == ((), "Name or service not known")


def test_names_nobody_wants_any_more_are_forgotten(server: NameServer) -> None:
    server.table["a.example"] = ["192.0.2.1"]
    resolver = Resolver(server.look_up)
    resolver.want(["a.example"])
    resolver.tick()
    soon(lambda: resolver.answer("a.example"))
    resolver.want([])
    assert resolver.answer("a.example") is None


class Moving:
    """A resolver with one name, and a clock."""

    def __init__(self, server: NameServer, *addresses: str) -> None:
        self.now_s = 1000.0
        self.server = server
        self.server.table["a.example"] = list(addresses)
        self.resolver = Resolver(server.look_up, clock=lambda: self.now_s)
        self.resolver.want(["a.example"])
        self.resolver.tick()
        soon(lambda: self.resolver.answer("a.example"))

    def addresses(self) -> tuple[str, ...]:
        answer = self.resolver.answer("a.example")
        assert answer is not None
        return answer.addresses

    def refresh(self, *addresses: str) -> None:
        self.server.table["a.example"] = list(addresses)
        self.now_s += REFRESH_S + 1
        self.resolver.tick()
        soon(lambda: (self.resolver.answer("a.example") or Answer((), 0)).good_at_s == self.now_s)


def test_a_doubted_name_is_asked_again_at_once(server: NameServer) -> None:
    moving = Moving(server, "192.0.2.1")
    server.table["a.example"] = ["192.0.2.2"]
    moving.now_s += 10
    moving.resolver.doubt("A.example")
    soon(lambda: moving.addresses() == ("192.0.2.2",))


def test_lasting_doubt_asks_less_and_less_often(server: NameServer) -> None:
    moving = Moving(server, "192.0.2.1")
    for _ in range(120):
        moving.now_s += 1
        moving.resolver.doubt("a.example")
        time.sleep(0.005)
    assert 3 <= len(server.asked) <= 8


def test_the_address_in_use_is_kept_while_it_is_among_the_answers(server: NameServer) -> None:
    moving = Moving(server, "192.0.2.1", "192.0.2.2")
    moving.refresh("192.0.2.3", "192.0.2.2", "192.0.2.1")
    assert moving.addresses() == ("192.0.2.1", "192.0.2.2", "192.0.2.3")
    moving.refresh("192.0.2.3", "192.0.2.2")
    assert moving.addresses() == ("192.0.2.2", "192.0.2.3")


def test_an_address_set_aside_comes_last_as_long_as_there_are_others(server: NameServer) -> None:
    moving = Moving(server, "2001:db8::1", "192.0.2.1")
    moving.resolver.set_aside("a.example", ("2001:db8::1",))
    assert moving.addresses() == ("192.0.2.1", "2001:db8::1")
    moving.refresh("2001:db8::1", "192.0.2.1", "192.0.2.2")
    assert moving.addresses() == ("192.0.2.1", "192.0.2.2", "2001:db8::1")
    moving.refresh("2001:db8::1")
    assert moving.addresses() == ("2001:db8::1",)


def test_names_that_cannot_be_resolved_hold_up_no_others(server: NameServer) -> None:
    dead = [f"stuck{number}.example" for number in range(60)]
    server.table["a.example"] = ["192.0.2.1"]
    resolver = Resolver(server.look_up)
    resolver.want([*dead, "a.example"])
    resolver.tick()
    soon(lambda: resolver.answer("a.example"))
