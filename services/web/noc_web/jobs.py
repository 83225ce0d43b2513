"""Long calculations, one at a time in a thread of their own, whose results are kept for a while for whoever asks again."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, Generic, TypeVar

from noc_web.problem import ProblemError

K = TypeVar("K", bound=Hashable)
R = TypeVar("R")
Told = Callable[[int, int], None]
"""Called with how much is done, and of how much; it stops a calculation by what it raises."""
_KEPT: Final = 6
_KEPT_S: Final = 120.0
_MOST_WAITING: Final = 4


class Job(Generic[R]):
    """A result on its way."""

    def __init__(self) -> None:
        self.future: Future[R] = Future()
        self.asked_at_s = time.monotonic()
        self._done, self._of = 0, 1

    def told(self, done: int, of: int) -> None:
        self._done, self._of = done, of

    @property
    def progress_pct(self) -> int:
        """100 only once it is there."""
        return 100 if self.future.done() else min(99, 100 * self._done // max(1, self._of))

    @property
    def is_over(self) -> bool:
        """It failed, or is no longer what one would get now."""
        is_old = time.monotonic() - self.asked_at_s > _KEPT_S
        return self.future.done() and (is_old or self.future.exception() is not None)


class Jobs(Generic[K, R]):
    """By what was asked for: the same asked again is the same job."""

    def __init__(self, name: str, calculate: Callable[[K, Told], R], too_many: str) -> None:
        """`too_many`: the sentence for whoever asks while too much is being calculated."""
        self._calculate = calculate
        self._too_many = too_many
        self._lock = threading.Lock()
        self._jobs: OrderedDict[K, Job[R]] = OrderedDict()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._stop = threading.Event()

    def ask(self, wanted: K) -> Job[R]:
        """The result, which may be there already. Raises ProblemError 503 where too many are being calculated."""
        with self._lock:
            job = self._jobs.get(wanted)
            if job is None or job.is_over:
                if sum(not one.future.done() for one in self._jobs.values()) >= _MOST_WAITING:
                    raise ProblemError(503, self._too_many)
                job = self._jobs[wanted] = Job()
                job.future = self._thread.submit(self._run, wanted, job)
            self._jobs.move_to_end(wanted)
            while len(self._jobs) > _KEPT:
                self._jobs.popitem(last=False)
            return job

    def close(self) -> None:
        """Stops what is being calculated; returns once nothing is any more."""
        self._stop.set()
        self._thread.shutdown(wait=True, cancel_futures=True)

    def _run(self, wanted: K, job: Job[R]) -> R:
        def told(done: int, of: int) -> None:
            if self._stop.is_set():
                raise ProblemError(503, "The server is stopping.")
            job.told(done, of)

        return self._calculate(wanted, told)
