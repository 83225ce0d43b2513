"""Threads for what waits — databases, files, password hashes — apart from each other and from the event loop.

Each kind of work has its own few threads and a limit to what may wait for them: whoever comes after
that is refused in a sentence, and nobody else notices.
"""

from __future__ import annotations

import contextvars
from collections.abc import Callable
from typing import Any, Final, TypeVar
from weakref import WeakKeyDictionary

import gevent
from gevent.threadpool import ThreadPool

from noc_web.problem import ProblemError

T = TypeVar("T")


class Pool:
    """`threads` work, `waiting` more may wait; `status` and `sentence` refuse the rest."""

    def __init__(self, threads: int, waiting: int, status: int, sentence: str) -> None:
        self._threads = threads
        # A pool of gevent's reports to the event loop of one thread; a service has one.
        self._pools: WeakKeyDictionary[Any, ThreadPool] = WeakKeyDictionary()
        self._room = threads + waiting
        self._taken = 0
        self._status = status
        self._sentence = sentence

    def run(self, function: Callable[..., T], *arguments: Any) -> T:
        """The function's result; the present request is known to it too. For greenlets only.

        Raises ProblemError where too many wait already, and what the function raises.
        """
        if self._taken >= self._room:
            raise ProblemError(self._status, self._sentence)
        self._taken += 1
        try:
            context = contextvars.copy_context()
            result: T = self._pool().apply(context.run, (function, *arguments))
            return result
        finally:
            self._taken -= 1

    def _pool(self) -> ThreadPool:
        hub = gevent.get_hub()
        if hub not in self._pools:
            self._pools[hub] = ThreadPool(self._threads, hub=hub)
        return self._pools[hub]


REQUESTS: Final = Pool(8, 100, 503, "The server is busy with other requests; try again in a moment.")
HISTORY: Final = Pool(2, 30, 503, "Too much history is being read at the moment; try again in a few seconds.")
PASSWORDS: Final = Pool(2, 8, 429, "Too many passwords are being checked at the moment; try again in a few seconds.")
MAIL: Final = Pool(2, 0, 429, "Test mails are being sent already; try again in a moment.")
JOINS: Final = Pool(2, 5000, 503, "Too many pages are connecting; try again in a moment.")
LIVE: Final = Pool(1, 100, 503, "The live view is busy; try again in a moment.")
SESSIONS: Final = Pool(1, 10, 503, "The server is busy; try again in a moment.")
KEEPER: Final = Pool(1, 10, 503, "The server is busy; try again in a moment.")
PRESENCE: Final = Pool(1, 10, 503, "The server is busy; try again in a moment.")
