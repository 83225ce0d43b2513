"""The writer's side of what is retained: each topic has one owner, whose memory is the truth and the broker's a copy."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any, Final, Generic, TypeVar, cast

from msgspec.structs import replace

from noc_bus import topic_variables
from noc_bus.bus import Bus
from noc_bus.channels import Channel
from noc_bus.messages import Retained, Summary
from noc_bus.mirror import REV_MODULUS, key_of
from noc_bus.time import Time

K = TypeVar("K", bound=str | tuple[str, ...])
R = TypeVar("R", bound=Retained)

# What is retained comes in a burst after a connection; only after it is it known what is missing or too much.
_QUIET_S: Final = 1.0
_QUIET_AT_THE_LATEST_S: Final = 10.0
# Who hears its own message back knows that others heard it, not that it is kept: a node of a cluster that dies takes that
# with it, and one that nobody leads acknowledges all the same. After trouble the broker is asked what it has, so long after
# the answer before as this.
_ASK_AGAIN_S: Final = (5.0, 10.0, 20.0, 40.0, 60.0)
_ECHO_S: Final = 3.0
_PER_S: Final = 2000
# nats-server keeps for two minutes what it loaded for a new subscription, and what is published while it loads is not in
# it: whoever subscribes then, or after that, gets the older message. What is published once it has loaded replaces it.
_AGAIN_AFTER_S: Final = 5.0
# A mass of changes is work enough for everybody.
_AGAIN_PER_S: Final = 200
# Of what is spread in time, so much goes out at once: what people change by hand.
_AT_ONCE: Final = 100
_MISSING: Final = -1


class RevCounter:
    """Numbers what one process retains. They rise, also over restarts unless the wall clock goes back."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = int(Time.now())

    def next(self) -> int:
        with self._lock:
            self._last += 1
            return self._last

    def observe(self, rev: int | None) -> None:
        """A number in use already, by an earlier start."""
        with self._lock:
            self._last = max(self._last, rev or 0)


class Published(Generic[K, R]):
    """What this process keeps retained on one channel. From any thread; `tick` a few times a second.

    It hears its own topics: after a connection, and whenever somebody else has changed one, what is missing,
    wrong or too much on the broker is put right, spread in time. Soon after a connection, and where what it said does
    not come back, it asks again what the broker has, less and less often until that is right. Every change is published
    twice, the second time after five seconds.
    """

    def __init__(
        self,
        bus: Bus,
        channel: Channel[R],
        revs: RevCounter,
        *,
        clock: Callable[[], float] = time.monotonic,
        is_spread: bool = False,
        **variables: str,
    ) -> None:
        """`variables` are those that all of its topics have in common: a prober's own site.

        `is_spread`: of a mass of changes only the first go out at once, and the others with `tick`.
        """
        self.channel = channel
        self._bus = bus
        self._revs = revs
        self._clock = clock
        self._variables = variables
        self._lock = threading.RLock()
        self._now: dict[K, R] = {}
        self._rev_sum = 0
        # Put while nothing could be handed over: what the broker has may be the same already.
        self._unsent: set[K] = set()
        # What the broker has instead of ours: the message or its number, or `_MISSING`. All else is there as it should be.
        self._differing: dict[K, R | int | None] = {}
        # Of that, what was handed over and has not come back, and when; the oldest first.
        self._awaited: dict[K, float] = {}
        # What is to be put right, in the order of its turns.
        self._suspects: dict[K, None] = {}
        self._is_spread = is_spread
        self._at_once = 0
        # When to publish what once more, the next one first.
        self._again: dict[K, float] = {}
        self._connected_s: float | None = None
        self._is_compared = False
        # Since when it is on its way what the broker has, and what of ours has not come; None: nothing was asked.
        self._asked_s: float | None = None
        self._unheard: set[K] = set()
        self._heard_s = 0.0
        self._ask_at_s: float | None = None
        self._answered_s = 0.0
        self._asks = 0
        self._ticked_s = 0.0
        bus.when_connected(self._on_connected)
        bus.when_disconnected(self._on_disconnected)
        bus.subscribe(channel, self._on_own, **variables)
        if bus.connected:
            self._on_connected()

    @property
    def now(self) -> Mapping[K, R]:
        """What is, or is to be, retained. Not to be changed."""
        return self._now

    def put(self, message: R, *, more_follow: bool = False) -> R:
        """Retain it, unless the same is retained already. The message with its `rev`.

        `more_follow`: the topic's next message comes soon anyway, so this one is published once.
        """
        key = self._key(message)
        with self._lock:
            before = self._now.get(key)
            if before is not None and _same(before, message):
                return before
            numbered = replace(message, rev=self._revs.next())
            self._set(key, numbered)
            self._unsent.add(key)
            self._send(key)
            if not more_follow:
                self._again.pop(key, None)
                self._again[key] = self._clock() + _AGAIN_AFTER_S
            return numbered

    def adopt(self, message: R) -> None:
        """Take over what an earlier start has retained, as it is, unless we say something else already."""
        key = self._key(message)
        with self._lock:
            if key not in self._now:
                self._revs.observe(message.rev)
                self._set(key, message)

    def remove(self, key: K, closing: R | None = None) -> None:
        """Retain it no more, whoever published it. `closing` is published first, for those who listen now."""
        with self._lock:
            self._set(key, None)
            self._unsent.discard(key)
            self._again.pop(key, None)
            if closing is not None:
                self._bus.publish_once(self.channel, closing, **self._given(key))
            self._send(key)

    @property
    def is_settled(self) -> bool:
        """Whether the broker was handed all that is, or is to be, retained."""
        return self._is_compared and not self._suspects

    def summary(self) -> Summary:
        """For this process's presence."""
        with self._lock:
            return Summary(count=len(self._now), rev_sum=self._rev_sum % REV_MODULUS)

    def tick(self, share: float = 1.0) -> None:
        """Put right what is known to differ on the broker: so many a second, so that nobody is flooded.

        `share`: of that number, where several owners divide it.
        """
        with self._lock:
            now_s = self._clock()
            self._at_once = 0
            elapsed_s, self._ticked_s = min(1.0, now_s - self._ticked_s), now_s
            if self._connected_s is None:
                return
            self._look(now_s)
            if not self._is_compared:
                return
            for _ in range(max(1, int(_AGAIN_PER_S * share * elapsed_s))):
                key, due_s = next(iter(self._again.items()), (None, 0.0))
                if key is None or now_s < due_s:
                    break
                del self._again[key]
                self._bus.publish(self.channel, self._now[key], **self._given(key))
            for key in list(islice(self._suspects, max(1, int(_PER_S * share * elapsed_s)))):
                del self._suspects[key]
                if key in self._differing:
                    self._hand_over(key)

    def _look(self, now_s: float) -> None:
        """Whether what the broker has is what it should have: ask for it where that is doubtful, take in the answer."""
        if self._asked_s is not None:
            has_come = now_s - max(self._heard_s, self._asked_s) > _QUIET_S
            if has_come or now_s - self._asked_s >= _QUIET_AT_THE_LATEST_S:
                self._take_answer(now_s)
        elif self._ask_at_s is None:
            if self._is_doubtful(now_s):
                self._ask_in_a_while(now_s)
        elif now_s >= self._ask_at_s:
            self._ask_at_s, self._asked_s = None, now_s
            self._unheard = set(self._now)
            self._bus.resubscribe(self.channel, **self._variables)

    def _take_answer(self, now_s: float) -> None:
        if not self._is_compared:
            self._adopt()
        for key in self._unheard - self._awaited.keys():
            self._compare(key, _MISSING)
        self._unheard.clear()
        wrong = [key for key in self._differing if now_s - self._awaited.get(key, -math.inf) > _ECHO_S]
        self._suspects.update(dict.fromkeys(wrong))
        is_first, self._is_compared = not self._is_compared, True
        self._asked_s = None
        if is_first or wrong:
            self._ask_in_a_while(now_s)
        self._answered_s = now_s

    def _is_doubtful(self, now_s: float) -> bool:
        """Whether something that differs is neither on its way nor waits for its turn."""
        oldest_s = next(iter(self._awaited.values()), now_s)
        return now_s - oldest_s > _ECHO_S or len(self._differing) > len(self._awaited) + len(self._suspects)

    def _ask_in_a_while(self, now_s: float) -> None:
        """The longer, the more often it was asked of late: a broker that is slow is not asked for everything all the time."""
        self._asks = self._asks + 1 if now_s - self._answered_s < 2 * _ASK_AGAIN_S[-1] else 1
        self._ask_at_s = now_s + _ASK_AGAIN_S[min(self._asks, len(_ASK_AGAIN_S)) - 1]

    def _send(self, key: K) -> None:
        """Hand it over, unless it has to wait for its turn; without a connection there is nothing to wait for."""
        self._at_once += 1
        if self._is_spread and self._connected_s is not None and self._at_once > _AT_ONCE:
            self._suspects[key] = None
        else:
            self._suspects.pop(key, None)
            self._hand_over(key)

    def _hand_over(self, key: K) -> None:
        mine = self._now.get(key)
        self._awaited.pop(key, None)
        if key in self._differing:
            # Before: it may be back before `publish` is.
            self._awaited[key] = self._clock()
        if mine is None:
            is_sent = self._bus.clear(self.channel, **self._given(key))
        elif is_sent := self._bus.publish(self.channel, mine, **self._given(key)):
            self._unsent.discard(key)
        if not is_sent:
            self._awaited.pop(key, None)

    def _adopt(self) -> None:
        """What an earlier start retained stays as it is where we would say the same; then only numbers matter."""
        for key, found in list(self._differing.items()):
            if not isinstance(found, Retained):
                continue
            mine = self._now.get(key)
            if mine is not None and key in self._unsent and _same(found, mine) and found.rev is not None:
                # Ours, for it shares most of what it holds with its owner's other copies.
                self._set(key, replace(mine, rev=found.rev))
                self._unsent.discard(key)
                self._again.pop(key, None)
            self._compare(key, found.rev)

    def _compare(self, key: K, on_broker: R | int | None) -> None:
        """Remember what the broker has of it where that is not ours."""
        mine = self._now.get(key)
        rev = on_broker.rev if isinstance(on_broker, Retained) else on_broker
        if rev == (mine.rev if mine else _MISSING):
            self._differing.pop(key, None)
            self._awaited.pop(key, None)
        else:
            self._differing[key] = on_broker

    # -- from the bus

    def _on_connected(self) -> None:
        with self._lock:
            self._connected_s = self._asked_s = self._clock()
            self._is_compared = False
            self._asks, self._ask_at_s = 0, None

    def _on_disconnected(self) -> None:
        with self._lock:
            self._connected_s = self._asked_s = None
            self._is_compared = False
            self._differing = dict.fromkeys(self._now, _MISSING)
            self._unheard.clear()
            self._awaited.clear()
            self._suspects.clear()

    def _on_own(self, message: R | None, variables: dict[str, str]) -> None:
        key: K = key_of(self.channel, variables)
        with self._lock:
            mine = self._now.get(key)
            is_mine = (mine.rev if mine else None) == (message.rev if message else None)
            if key not in self._awaited:
                # What comes back of what is said all the time does not put off the end of what was asked.
                self._heard_s = self._clock()
            elif not is_mine:
                # It was replaced since: what replaced it is on its way.
                return
            self._unheard.discard(key)
            if message is None:
                self._compare(key, _MISSING)
            else:
                self._revs.observe(message.rev)
                self._compare(key, message if not self._is_compared else message.rev)
            if not is_mine:
                self._suspects[key] = None

    def _set(self, key: K, message: R | None) -> None:
        before = self._now.get(key)
        on_broker = self._differing.get(key, before.rev if before else _MISSING)
        self._rev_sum += (message.rev or 0 if message else 0) - (before.rev or 0 if before else 0)
        if message is not None:
            self._now[key] = message
        else:
            self._now.pop(key, None)
        self._compare(key, on_broker)

    def _key(self, message: R) -> K:
        return cast("K", key_of(self.channel, topic_variables.of_message(self.channel, message, self._variables)))

    def _given(self, key: K) -> dict[str, str]:
        values = (key,) if isinstance(key, str) else key
        return dict(zip(self.channel.variables, values, strict=True))


def _same(one: Any, other: Any) -> bool:
    """Whether they say the same, whatever their numbers."""
    return bool(replace(one, rev=other.rev) == other)
