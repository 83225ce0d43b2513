"""What is retained on a channel, as this process knows it, and whether that is all of it.

Whether it is all is a fact, not a quiet moment: every retained message has a rising `rev`, and its writer's
presence carries how many there are and the sum of their numbers. A mirror that differs asks again.
What is assigned to a site has such a summary of its own, for the site reads no presence of others.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, Generic, TypeVar, cast

from noc_bus.bus import Bus, Handler
from noc_bus.channels import ASSIGNMENT_SUMMARIES, ASSIGNMENTS, PROBERS, SERVICES, Channel
from noc_bus.messages import (
    AssignmentSummary,
    Message,
    ProberPresence,
    Retained,
    ServicePresence,
    Summary,
)

K = TypeVar("K", bound=str | tuple[str, ...])
M = TypeVar("M", bound=Message)

REV_MODULUS: Final = 2**53
DIFFERS_S: Final = 5.0
# A writer that does not say what it has retained: when nothing came for so long, all has come.
QUIET_S: Final = 3.0
# A prober that was not heard of for so long after a connection has nothing retained any more.
_WITHOUT_PRESENCE_S: Final = 45.0
_ASK_AGAIN_S: Final = (5.0, 300.0)
_ASK_FOR_NEW_S: Final = 2.0
_REFUSED_KEYS: Final = 1000
# A broker may hand out what it retained after what replaced it. Where the writer's numbers really fell, because its clock
# was put back, asking once does not help, and the second answer counts as it is.
_BELIEVED_WHEN_ASKED: Final = 2
# A presence may be overtaken by what comes after it: it is compared also with what was true so shortly before.
_OVERTAKEN_S: Final = 3.0


@dataclass(frozen=True)
class Change(Generic[M]):
    """None before: it is new. None after: it is gone."""

    before: M | None
    after: M | None


class _Writer:
    """What one writer says it has retained on the channel, and what we have of it.

    `come` is what came since we connected or asked, `held` that and what we had before: an answer may be a part only,
    and what we had may be right all the same.
    """

    def __init__(self) -> None:
        self.come = self.held = Summary(count=0, rev_sum=0)
        self._past: deque[tuple[float, Summary, Summary]] = deque()
        self.has_presence = False
        self.summary: Summary | None = None
        self.is_matched = False
        self.has_matched = False
        self.differs_since_s: float | None = None
        self.ask_at_s = 0.0
        self.asked = 0

    def change(self, now_s: float, *, come: tuple[int, int] = (0, 0), held: tuple[int, int] = (0, 0)) -> None:
        """By how many, and by what sum of numbers."""
        self.forget_past(now_s)
        self._past.append((now_s, self.come, self.held))
        self.come, self.held = _added(self.come, *come), _added(self.held, *held)

    def forget_past(self, now_s: float) -> None:
        """After a burst there is a moment of it for every message."""
        while self._past and self._past[0][0] < now_s - _OVERTAKEN_S:
            self._past.popleft()

    def restart(self) -> None:
        """Count anew what comes: all of it comes again."""
        self.come = Summary(count=0, rev_sum=0)
        self._past.clear()
        self.is_matched = self.has_matched = False

    def has_all(self, since_s: float | None = None) -> _Part | None:
        """What of ours is what it says: now, or at some moment after `since_s`."""
        if self.summary is None:
            return None
        moments = [(self.come, self.held)]
        if since_s is not None:
            moments += [(come, held) for at_s, come, held in self._past if at_s >= since_s]
        if any(held == self.summary for _, held in moments):
            return _Part.HELD
        return _Part.COME if any(come == self.summary for come, _ in moments) else None


class _Part(Enum):
    COME = "come"
    HELD = "held"


def _added(to: Summary, count: int, rev: int) -> Summary:
    return Summary(count=to.count + count, rev_sum=(to.rev_sum + rev) % REV_MODULUS)


class Mirror(Generic[K, M]):
    """Fed by the bus; read from any thread. Keys are strings, or tuples where a topic has two variables.

    What is cleared is removed at once; what went while we were away, as soon as the rest is complete. A
    broker that has forgotten everything removes nothing: its writers' presences are gone with it.
    """

    def __init__(
        self,
        bus: Bus,
        channel: Channel[M],
        *,
        wanted: Callable[[K], bool] | None = None,
        notify: Callable[[], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
        is_optional: bool = False,
        **variables: str,
    ) -> None:
        """`wanted`: which keys to keep at all; say `reconsider` when its answers have changed.

        `is_optional`: the broker may not let us read the channel, and then nothing comes.

        `notify` is called on the bus's thread when a change waits; it must only leave a note.
        `variables` narrow the mirror to some topics. `clock` gives seconds that only go forward.
        """
        self._bus = bus
        self._channel = channel
        self._wanted = wanted
        self._notify = notify
        self._clock = clock
        self._is_optional = is_optional
        self._variables = variables
        self._lock = threading.RLock()
        self._items: dict[K, M] = {}
        self._before: dict[K, M | None] = {}
        self._unconfirmed: set[K] = set()
        self._writers: dict[str, _Writer] = {}
        self._refused: set[K] = set()
        self._refused_many = False
        self._ask_for_new = False
        self._asked_for_new_s = 0.0
        self._lost = 0
        self._connected_s: float | None = None
        self._heard_s = 0.0
        bus.when_connected(self._on_connected)
        bus.when_disconnected(self._on_disconnected)
        self.resume()

    # -- reading

    def get(self, key: K) -> M | None:
        return self._items.get(key)

    def __contains__(self, key: K) -> bool:
        return key in self._items

    def __len__(self) -> int:
        return len(self._items)

    def items(self) -> dict[K, M]:
        """A copy of all there is."""
        with self._lock:
            return dict(self._items)

    def take_changes(self) -> dict[K, Change[M]]:
        """What changed since the last call, in the order it first did; a change that was taken back is left out."""
        with self._lock:
            before, self._before = self._before, {}
            changes = {key: Change(old, self._items.get(key)) for key, old in before.items()}
        return {key: change for key, change in changes.items() if change.before != change.after}

    @property
    def is_complete(self) -> bool:
        """Whether all that is retained has come, of every writer that is known."""
        with self._lock:
            if self._connected_s is None:
                return False
            if not self._is_summed:
                return self._is_quiet()
            if not self._is_by_site:
                return self.is_complete_from(self._channel.writers[0])
            # That no prober speaks is an answer; of what is assigned only a word is.
            return all(self.is_complete_from(writer) for writer in self._writers) and (
                any(writer.summary for writer in self._writers.values()) or (self._is_by_prober and self._is_quiet())
            )

    def is_complete_from(self, writer: str) -> bool:
        """The same of one writer: a site, for what probers write, else a service."""
        with self._lock:
            known = self._writers.get(writer)
            if self._connected_s is None or known is None:
                return False
            if known.summary is None:
                return known.has_presence and self._is_quiet()
            since_s = known.differs_since_s
            return known.has_matched and (since_s is None or self._clock() - since_s < DIFFERS_S)

    def agrees_with(self, writer: str) -> bool:
        """Whether all has come that its last presence says it has retained, with no patience for what is under way.

        Of a site that was away this says that nothing is left from before. A writer that does not tell agrees
        after a quiet time.
        """
        with self._lock:
            known = self._writers.get(writer)
            if self._connected_s is None or known is None:
                return False
            return known.is_matched if known.summary else known.has_presence and self._is_quiet()

    def has_word_of(self, writer: str) -> bool:
        """Whether it has said anything of what it has retained, on this connection."""
        with self._lock:
            known = self._writers.get(writer)
            return known is not None and known.has_presence

    # -- care

    def suspend(self) -> None:
        """Hear nothing more; what is known stays, and is compared anew after `resume`."""
        self._bus.unsubscribe(self._channel, self._on_message, **self._variables)
        for channel, handler, narrowed in self._presences:
            self._bus.unsubscribe(channel, handler, **narrowed)
        self._on_disconnected()

    def resume(self) -> None:
        subscribe = self._bus.try_subscribe if self._is_optional else self._bus.subscribe
        subscribe(self._channel, self._on_message, **self._variables)
        for channel, handler, narrowed in self._presences:
            subscribe(channel, handler, **narrowed)
        if self._bus.connected:
            self._on_connected()

    def reconsider(self) -> None:
        """`wanted` may answer otherwise now: let go of what it refuses, ask for what it takes."""
        if self._wanted is None:
            return
        with self._lock:
            for key in [key for key in self._items if not self._wanted(key)]:
                self._remove(key)
            if self._refused_many or any(self._wanted(key) for key in self._refused):
                self._refused.clear()
                self._refused_many = False
                self._ask_for_new = True

    def tick(self) -> None:
        """Once a second or so: ask again for what is missing, let go of what is gone."""
        with self._lock:
            if self._connected_s is None:
                return
            now_s = self._clock()
            for writer in self._writers.values():
                writer.forget_past(now_s)
            lost = self._bus.lost(self._channel)
            is_lost, self._lost = lost != self._lost, lost
            differing = [writer for writer in self._writers.values() if self._is_to_ask(writer, now_s)]
            for writer in differing:
                writer.asked += 1
                writer.ask_at_s = now_s + min(_ASK_AGAIN_S[1], _ASK_AGAIN_S[0] * 2 ** (writer.asked - 1))
            asks_for_new = self._ask_for_new and now_s - self._asked_for_new_s > _ASK_FOR_NEW_S
            if asks_for_new:
                self._ask_for_new, self._asked_for_new_s = False, now_s
            if is_lost:
                differing = list(self._writers.values())
            self._count_anew(differing)
            self._remove_what_quiet_writers_left(now_s)
        if differing or asks_for_new:
            self._bus.resubscribe(self._channel, **self._variables)

    def _is_to_ask(self, writer: _Writer, now_s: float) -> bool:
        since_s = writer.differs_since_s
        return since_s is not None and now_s - since_s >= DIFFERS_S and now_s >= writer.ask_at_s

    def _count_anew(self, writers: list[_Writer]) -> None:
        for writer in writers:
            writer.restart()
        if writers:
            self._heard_s = self._clock()
            self._unconfirmed |= {key for key in self._items if self._writer_of(key) in writers}

    def _remove_what_quiet_writers_left(self, now_s: float) -> None:
        assert self._connected_s is not None
        if not self._unconfirmed or not self._is_quiet():
            return
        has_been_long = now_s - self._connected_s > _WITHOUT_PRESENCE_S
        knows_somebody = any(writer.has_presence or writer.come.count > 0 for writer in self._writers.values())
        for key in list(self._unconfirmed):
            writer = self._writer_of(key)
            if writer.summary is not None:
                continue
            # Of a broker that has forgotten, nothing comes: then its silence says nothing.
            is_told = writer.has_presence and writer.come.count > 0
            if is_told or (self._is_by_prober and has_been_long and knows_somebody and not writer.has_presence):
                self._remove(key)

    # -- from the bus

    def _on_connected(self) -> None:
        with self._lock:
            self._connected_s = self._heard_s = self._clock()

    def _on_disconnected(self) -> None:
        with self._lock:
            self._connected_s = None
            self._unconfirmed = set(self._items)
            for writer in self._writers.values():
                writer.restart()
                writer.has_presence = False
                writer.summary = writer.differs_since_s = None
                writer.asked = 0

    def _on_message(self, message: M | None, variables: dict[str, str]) -> None:
        key = self._key(variables)
        with self._lock:
            self._heard_s = self._clock()
            if message is None:
                self._refused.discard(key)
                self._remove(key)
            elif self._wanted is not None and not self._wanted(key):
                self._refuse(key)
            else:
                self._keep(key, message)
            self._compare(self._writer_of(key))

    def _keep(self, key: K, message: M) -> None:
        writer, before = self._writer_of(key), self._items.get(key)
        if before is not None and writer.asked < _BELIEVED_WHEN_ASKED and _is_older(message, before):
            message = before
        change = (0, _rev(message) - _rev(before)) if before is not None else (1, _rev(message))
        writer.change(self._clock(), come=(1, _rev(message)) if key in self._unconfirmed else change, held=change)
        self._unconfirmed.discard(key)
        self._items[key] = message
        if before != message:
            self._note(key, before)

    def _remove(self, key: K) -> None:
        before = self._items.pop(key, None)
        if before is None:
            return
        change = (-1, -_rev(before))
        self._writer_of(key).change(self._clock(), come=(0, 0) if key in self._unconfirmed else change, held=change)
        self._unconfirmed.discard(key)
        self._note(key, before)

    def _refuse(self, key: K) -> None:
        if len(self._refused) < _REFUSED_KEYS:
            self._refused.add(key)
        else:
            self._refused_many = True
        self._remove(key)

    def _note(self, key: K, before: M | None) -> None:
        is_first = not self._before
        self._before.setdefault(key, before)
        if is_first and self._notify:
            self._notify()

    # -- from the writers' presences

    @property
    def _is_by_prober(self) -> bool:
        return self._channel.writers == ("prober",)

    @property
    def _is_by_site(self) -> bool:
        """Whether each site's part has a summary of its own."""
        return self._is_by_prober or self._channel.name == ASSIGNMENTS.name

    @property
    def _is_summed(self) -> bool:
        """Whether its writers say what they have retained; their presences themselves are not summed up."""
        return issubclass(self._channel.message, Retained)

    @property
    def _presences(self) -> tuple[tuple[Channel[Any], Handler[Any], dict[str, str]], ...]:
        """Where its writers say what they have retained."""
        if not self._is_summed:
            return ()
        if not self._is_by_site:
            return ((SERVICES, self._on_service, {"service": self._channel.writers[0]}),)
        narrowed = {name: site for name, site in self._variables.items() if name == "site"}
        if self._is_by_prober:
            return ((PROBERS, self._on_prober, narrowed),)
        return ((ASSIGNMENT_SUMMARIES, self._on_summary, narrowed),)

    def _on_prober(self, presence: ProberPresence | None, variables: dict[str, str]) -> None:
        self._on_presence(variables["site"], presence)

    def _on_service(self, presence: ServicePresence | None, variables: dict[str, str]) -> None:
        self._on_presence(variables["service"], presence)

    def _on_summary(self, summary: AssignmentSummary | None, variables: dict[str, str]) -> None:
        self._on_word(variables["site"], summary.assigned if summary else None, is_there=summary is not None)

    def _on_presence(self, name: str, presence: ProberPresence | ServicePresence | None) -> None:
        if presence is not None and presence.silenced:
            return
        told = presence.retained if presence else None
        summary = told.get(self._channel.name, Summary(count=0, rev_sum=0)) if told is not None else None
        self._on_word(name, summary, is_there=presence is not None)

    def _on_word(self, name: str, summary: Summary | None, *, is_there: bool) -> None:
        """`summary`: what this writer says it has retained; None: it does not say."""
        with self._lock:
            writer = self._writers.setdefault(name, _Writer())
            writer.has_presence = is_there
            # Of a narrowed channel only a part comes, so that its sum says nothing.
            is_whole = not set(self._variables) - {"site"} if self._is_by_site else not self._variables
            writer.summary = summary if is_whole else None
            writer.is_matched = False
            self._compare(writer, since_s=self._clock() - _OVERTAKEN_S)
            if writer.summary is None or writer.is_matched:
                writer.differs_since_s = None
            elif writer.differs_since_s is None:
                writer.differs_since_s = self._clock()

    def _compare(self, writer: _Writer, since_s: float | None = None) -> None:
        part = None if writer.is_matched else writer.has_all(since_s)
        if part is None:
            return
        writer.is_matched = writer.has_matched = True
        writer.differs_since_s = None
        writer.asked = 0
        unconfirmed = [key for key in self._unconfirmed if self._writer_of(key) is writer]
        if part is _Part.HELD:
            self._unconfirmed.difference_update(unconfirmed)
            writer.come = writer.held
            return
        for key in unconfirmed:
            self._remove(key)

    # --

    def _is_quiet(self) -> bool:
        return self._clock() - self._heard_s > QUIET_S

    def _key(self, variables: dict[str, str]) -> K:
        return cast("K", key_of(self._channel, variables))

    def _writer_of(self, key: K) -> _Writer:
        if not self._is_by_site:
            return self._writers.setdefault(self._channel.writers[0], _Writer())
        site = key if isinstance(key, str) else key[self._channel.variables.index("site")]
        return self._writers.setdefault(site, _Writer())


def key_of(channel: Channel[Any], variables: dict[str, str]) -> Any:
    """How mirrors name a topic: its only variable, or all of them in the topic's order."""
    values = tuple(variables[name] for name in channel.variables)
    return values[0] if len(values) == 1 else values


def _is_older(message: Message, than: Message) -> bool:
    """Of an older writer's messages, which have no number, nobody can tell."""
    rev = getattr(message, "rev", None)
    return rev is not None and rev < _rev(than)


def _rev(message: Message) -> int:
    return cast("int", getattr(message, "rev", None) or 0)
