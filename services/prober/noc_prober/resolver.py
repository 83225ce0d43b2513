"""Turns host names into addresses beside the probing: a dead DNS server delays nobody.

The system's resolver is asked, so that /etc/hosts and whatever else this machine knows counts; it keeps
what it knows for the time that name servers allow. So each name is asked for again every minute, and at
once when its address is silent or cannot be sent to. Names that could not be resolved have threads of
their own. The last good addresses are kept while a name cannot be resolved.
"""

from __future__ import annotations

import queue
import socket
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Final

from noc_bus.messages import Assignment
from noc_prober.addresses import BadAddress, Destination, check_name, literal
from noc_prober.codes import InvalidCode
from noc_rules.site_state import Reason

REFRESH_S: Final = 60.0
_RETRY_S: Final = 30.0
# How long after an answer doubt may ask again: at once, then less and less often while the answer stays the same.
DOUBT_S: Final = (2.0, 60.0)
_KEPT_S: Final = 24 * 3600.0

LookUp = Callable[[str], list[str]]


class Unresolved(Exception):
    """There is no address to ping. The text says why."""

    @property
    def reason(self) -> Reason:
        return Reason(InvalidCode.NO_ADDRESS, str(self)[:200])


class Resolving(Unresolved):
    """The first answer is still awaited."""

    @property
    def reason(self) -> Reason:
        return Reason(InvalidCode.RESOLVING, str(self)[:200])


@dataclass(frozen=True)
class Answer:
    """What is known of a name: its addresses, the one to use first, or why there are none."""

    addresses: tuple[str, ...]
    good_at_s: float
    error: str | None = None


@dataclass
class _Wanted:
    """A name to be kept resolved: when it is due, and what became of it."""

    due_s: float = 0.0
    is_asked: bool = False
    doubt_after_s: float = DOUBT_S[0]
    answered_s: float = float("-inf")
    set_aside: set[str] = field(default_factory=set)


def system_look_up(name: str) -> list[str]:
    """Ask the system's resolver. Raises OSError."""
    found = socket.getaddrinfo(name, None, type=socket.SOCK_DGRAM)
    return list(dict.fromkeys(_with_scope(entry[4]) for entry in found))


class _Lane:
    """Threads that look names up, as many as there are names waiting, up to a limit."""

    def __init__(self, name: str, max_threads: int, work: Callable[[str], None]) -> None:
        self._name = name
        self._max = max_threads
        self._work = work
        self._names: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._threads = 0
        self._idle = threading.Semaphore(0)

    def put(self, name: str) -> None:
        """Called from one thread."""
        self._names.put(name)
        if not self._idle.acquire(blocking=False) and self._threads < self._max:
            self._threads += 1
            threading.Thread(target=self._run, name=f"{self._name}-{self._threads}", daemon=True).start()

    def _run(self) -> None:
        while True:
            self._work(self._names.get())
            self._idle.release()


class Resolver:
    """All methods are called on one thread, and none of them waits."""

    def __init__(
        self,
        look_up: LookUp = system_look_up,
        clock: Callable[[], float] = time.monotonic,
        learnt: Callable[[str, tuple[str, ...]], None] | None = None,
    ) -> None:
        """`learnt` is told, on a thread of ours, the addresses of a name when they are new."""
        self.look_up = look_up
        self._clock = clock
        self._learnt = learnt
        self._answers: dict[str, Answer] = {}
        self._wanted: dict[str, _Wanted] = {}
        self._lock = threading.Lock()
        self._lane = _Lane("resolver", 64, self._resolve)
        self._slow_lane = _Lane("resolver-retry", 8, self._resolve)

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
            self._wanted = {name: self._wanted.get(name) or _Wanted() for name in wanted}

    def tick(self) -> None:
        """Ask what is due, about once a second."""
        now_s = self._clock()
        with self._lock:
            for name, wanted in self._wanted.items():
                if wanted.due_s <= now_s:
                    self._ask(name, wanted)

    def doubt(self, name: str) -> None:
        """Its address is silent: has it another one by now?"""
        name, now_s = name.lower(), self._clock()
        with self._lock:
            wanted = self._wanted.get(name)
            if wanted is None or wanted.is_asked or now_s < wanted.answered_s + wanted.doubt_after_s:
                return
            wanted.doubt_after_s = min(wanted.doubt_after_s * 2, DOUBT_S[1])
            self._ask(name, wanted)

    def set_aside(self, name: str, addresses: tuple[str, ...]) -> None:
        """This machine cannot send to these: others of the same name come first from now on."""
        name = name.lower()
        with self._lock:
            if (wanted := self._wanted.get(name)) and (answer := self._answers.get(name)):
                wanted.set_aside |= set(addresses)
                self._answers[name] = replace(answer, addresses=_in_order(answer.addresses, (), wanted.set_aside))

    def answer(self, name: str) -> Answer | None:
        """What is known now; None while the first answer is awaited."""
        with self._lock:
            answer = self._answers.get(name.lower())
        if answer and answer.addresses and self._clock() - answer.good_at_s > _KEPT_S:
            return replace(answer, addresses=())
        return answer

    def _ask(self, name: str, wanted: _Wanted) -> None:
        if wanted.is_asked:
            return
        wanted.is_asked = True
        before = self._answers.get(name)
        (self._slow_lane if before and before.error else self._lane).put(name)

    def _resolve(self, name: str) -> None:
        try:
            addresses, error = tuple(self.look_up(name)), None
        except (OSError, UnicodeError) as problem:
            addresses, error = (), getattr(problem, "strerror", None) or str(problem)
        self._store_answer(name, addresses, error)

    def _store_answer(self, name: str, addresses: tuple[str, ...], error: str | None) -> None:
        now_s = self._clock()
        with self._lock:
            wanted = self._wanted.get(name)
            if wanted is None:
                return
            before = self._answers.get(name)
            known = before.addresses if before else ()
            if addresses:
                wanted.set_aside &= set(addresses)
                self._answers[name] = Answer(_in_order(addresses, known, wanted.set_aside), now_s)
            elif before:
                self._answers[name] = replace(before, error=error or "no address")
            else:
                self._answers[name] = Answer((), now_s, error or "no address")
            is_new = bool(addresses) and set(addresses) != set(known)
            if is_new or now_s - wanted.answered_s >= DOUBT_S[1]:
                wanted.doubt_after_s = DOUBT_S[0]
            wanted.is_asked, wanted.answered_s = False, now_s
            wanted.due_s = now_s + (REFRESH_S if addresses else _RETRY_S)
        if self._learnt and is_new:
            self._learnt(name, addresses)


def destinations(target: Assignment, resolver: Resolver) -> tuple[Destination, ...]:
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
    usable = usable_of(answer.addresses)
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


def _in_order(addresses: tuple[str, ...], known: tuple[str, ...], set_aside: set[str]) -> tuple[str, ...]:
    """Those known before first, in their order, so that a name server that takes turns moves nobody."""
    kept = [address for address in known if address in addresses]
    new = [address for address in addresses if address not in kept]
    return tuple(sorted((*kept, *new), key=lambda address: address in set_aside))


def usable_of(addresses: Iterable[str]) -> tuple[Destination, ...]:
    """Those that may be pinged: what a name server says is checked like what a person says.

    Raises BadAddress where there is none.
    """
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
