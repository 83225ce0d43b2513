"""What has arrived and waits for the worker: bounded, and of a retained topic the newest is kept."""

from __future__ import annotations

import queue
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

INBOX_MESSAGES: Final = 50_000
OVERFLOW_TOPICS: Final = 200_000


@dataclass(frozen=True, slots=True)
class Arrived:
    topic: str
    payload: bytes
    retained: bool


Item = Arrived | Callable[[], None]


class Inbox:
    """Filled by the network thread, emptied by the worker.

    Up to `limit` items wait in the order they came. Past that, what merely happened is dropped and
    counted (its sender sends it again), and of what says how things are the newest of each topic waits.
    """

    def __init__(self, limit: int = INBOX_MESSAGES, topics: int = OVERFLOW_TOPICS) -> None:
        self.dropped = 0
        self.lost: Counter[str] = Counter()
        """By channel, retained messages for which there was no room at all: to be asked for again."""
        self._limit = limit
        self._topics = topics
        self._queue: queue.SimpleQueue[Item | None] = queue.SimpleQueue()
        self._overflow: dict[str, Arrived] = {}
        self._lock = threading.Lock()

    def put(self, message: Arrived, channel: str, *, is_kept: bool) -> None:
        """`is_kept`: the topic is retained, so that only its newest message matters."""
        if is_kept and not self._has_room(message.topic):
            self._put_newest(message, channel)
        elif self._queue.qsize() < self._limit:
            self._queue.put(message)
        else:
            self.dropped += 1

    def call(self, hook: Callable[[], None]) -> None:
        self._queue.put(hook)

    def close(self) -> None:
        self._queue.put(None)

    def get(self) -> Item | None:
        """The next item, waiting for one; None once it is closed."""
        with self._lock:
            if self._overflow and self._queue.empty():
                return self._overflow.pop(next(iter(self._overflow)))
        return self._queue.get()

    def __len__(self) -> int:
        return self._queue.qsize() + len(self._overflow)

    def _has_room(self, topic: str) -> bool:
        """A topic that waits in the overflow must not be overtaken by its own next message."""
        return self._queue.qsize() < self._limit and topic not in self._overflow

    def _put_newest(self, message: Arrived, channel: str) -> None:
        with self._lock:
            if message.topic in self._overflow or len(self._overflow) < self._topics:
                self._overflow[message.topic] = message
            else:
                self.lost[channel] += 1
