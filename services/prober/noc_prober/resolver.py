"""Turns host names into addresses beside the probing: a dead DNS server delays nobody.

Names are looked up in a few threads of their own and again every five minutes. The last good
addresses are kept while a name cannot be resolved.
"""

from __future__ import annotations

import queue
import socket
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Final

from noc_bus.messages import Target
from noc_prober.addresses import BadAddress, Destination, check_name, literal

REFRESH_S: Final = 300.0
_RETRY_S: Final = 30.0
_THREADS: Final = 8
_KEPT_S: Final = 24 * 3600.0

LookUp = Callable[[str], list[str]]


class Unresolved(Exception):
    """There is no address to ping. The text says why."""


class Resolving(Unresolved):
    """The first answer is still awaited."""


@dataclass(frozen=True)
class Answer:
    """What is known of a name: its addresses in the resolver's order, or why there are none."""

    addresses: tuple[str, ...]
    good_at_s: float
    error: str | None = None


def system_look_up(name: str) -> list[str]:
    """Ask the system's resolver. Raises OSError."""
    found = socket.getaddrinfo(name, None, type=socket.SOCK_DGRAM)
    return list(dict.fromkeys(_with_scope(entry[4]) for entry in found))


class Resolver:
    """All methods are called on one thread, and none of them waits."""

    def __init__(
        self,
        look_up: LookUp = system_look_up,
        clock: Callable[[], float] = time.monotonic,
        learnt: Callable[[str, tuple[str, ...]], None] | None = None,
    ) -> None:
        """`learnt` is told, on a thread of ours, the addresses of a name when they are new."""
        self._look_up = look_up
        self._clock = clock
        self._learnt = learnt
        self._answers: dict[str, Answer] = {}
        self._due: dict[str, float] = {}
        self._asked: set[str] = set()
        # One entry a name at most: `_asked` sees to that. Names without any address go first.
        self._questions: queue.PriorityQueue[tuple[int, float, str]] = queue.PriorityQueue()
        self._lock = threading.Lock()
        self._threads = 0

    def recall(self, known: Iterable[tuple[str, tuple[str, ...]]]) -> None:
        """Addresses that were good before a restart."""
        for name, addresses in known:
            self._answers[name] = Answer(addresses, self._clock())

    def want(self, names: Iterable[str]) -> None:
        """Keep exactly these names resolved. Call it whenever they change."""
        wanted = {name.lower() for name in names}
        with self._lock:
            for name in [name for name in self._answers if name not in wanted]:
                del self._answers[name]
            self._due = {name: self._due.get(name, 0.0) for name in wanted}

    def tick(self) -> None:
        """Ask what is due, about once a second."""
        now_s = self._clock()
        with self._lock:
            due = [name for name, at_s in self._due.items() if at_s <= now_s and name not in self._asked]
            for name in due:
                self._asked.add(name)
                self._questions.put((1 if name in self._answers else 0, now_s, name))
        while due and self._threads < _THREADS:
            self._threads += 1
            threading.Thread(target=self._work, name=f"resolver-{self._threads}", daemon=True).start()

    def answer(self, name: str) -> Answer | None:
        """What is known now; None while the first answer is awaited."""
        with self._lock:
            answer = self._answers.get(name.lower())
        if answer and answer.addresses and self._clock() - answer.good_at_s > _KEPT_S:
            return replace(answer, addresses=())
        return answer

    def _work(self) -> None:
        while True:
            _, _, name = self._questions.get()
            try:
                addresses, error = tuple(self._look_up(name)), None
            except (OSError, UnicodeError) as problem:
                addresses, error = (), getattr(problem, "strerror", None) or str(problem)
            self._take(name, addresses, error)

    def _take(self, name: str, addresses: tuple[str, ...], error: str | None) -> None:
        now_s = self._clock()
        with self._lock:
            self._asked.discard(name)
            if name not in self._due:
                return
            before = self._answers.get(name)
            if addresses:
                self._answers[name] = Answer(addresses, now_s)
            elif before:
                self._answers[name] = replace(before, error=error or "no address")
            else:
                self._answers[name] = Answer((), now_s, error or "no address")
            self._due[name] = now_s + (REFRESH_S if addresses else _RETRY_S)
        if self._learnt and addresses and (before is None or before.addresses != addresses):
            self._learnt(name, addresses)


def destinations(target: Target, resolver: Resolver) -> tuple[Destination, ...]:
    """What to ping for a target now: one address, or two where its family is both.

    Raises Unresolved or BadAddress.
    """
    fixed = literal(target.address)
    if fixed is not None:
        if target.family in ("4", "6") and target.family != str(fixed.family):
            raise BadAddress(f"{target.address} is not an IPv{target.family} address")
        return (fixed,)
    check_name(target.address)
    answer = resolver.answer(target.address)
    if answer is None:
        raise Resolving(f"the name {target.address} is being resolved")
    if not answer.addresses:
        raise Unresolved(f"the name {target.address} has no address: {answer.error or 'not resolved for 24 h'}")
    usable = _usable(answer.addresses)
    if target.family == "auto":
        return usable[:1]
    first = {family: next((d for d in usable if d.family == family), None) for family in (4, 6)}
    if target.family == "both":
        found = tuple(d for d in (first[4], first[6]) if d)
    else:
        found = tuple(d for d in (first[int(target.family)],) if d)
    if not found:
        raise Unresolved(f"the name {target.address} has no IPv{target.family} address")
    return found


def _usable(addresses: tuple[str, ...]) -> tuple[Destination, ...]:
    """Those that may be pinged: what a name server says is checked like what a person says."""
    usable, problem = [], BadAddress("the name has no address")
    for address in addresses:
        try:
            checked = literal(address)
        except BadAddress as error:
            problem = error
            continue
        if checked:
            usable.append(checked)
    if not usable:
        raise problem
    return tuple(usable)


def _with_scope(sockaddr: tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]) -> str:
    address = str(sockaddr[0])
    if len(sockaddr) == 4 and sockaddr[3] and "%" not in address:
        return f"{address}%{sockaddr[3]}"
    return address
