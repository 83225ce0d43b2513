"""Long calculations, one at a time in a thread of their own, whose results are kept for a while for whoever asks again."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor, wait
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
        self.there_at_s: float | None = None
        """When it was there."""
        self._part_pct = 0

    def told(self, done: int, of: int) -> None:
        self._part_pct = min(99, 100 * done // max(1, of))

    def awaited(self, wait_s: float) -> tuple[int, R | None]:
        """100 and the result; or how far it is, and None, where it is not there within that time. Raises what it failed of."""
        done, _ = wait([self.future], wait_s)
        # It may come right now: whoever reads 100 looks for it.
        return (100, self.future.result()) if done else (self._part_pct, None)


class Jobs(Generic[K, R]):
    """By what was asked for: the same asked again is the same job."""

    def __init__(self, name: str, too_many: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        """`too_many`: the sentence for whoever asks while too much is being calculated."""
        self._too_many = too_many
        self._clock = clock
        self._lock = threading.Lock()
        self._jobs: OrderedDict[K, Job[R]] = OrderedDict()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._stop = threading.Event()

    def ask(self, wanted: K, calculate: Callable[[Told], R]) -> Job[R]:
        """The result, which may be there already. Raises ProblemError 503 where too many are being calculated."""
        with self._lock:
            job = self._jobs.get(wanted)
            if job is None or self._is_over(job):
                if sum(not one.future.done() for one in self._jobs.values()) >= _MOST_WAITING:
                    raise ProblemError(503, self._too_many)
                job = self._jobs[wanted] = Job()
                job.future = self._thread.submit(self._run, calculate, job)
            self._jobs.move_to_end(wanted)
            # Nobody is to wait for what is not kept.
            there = [one for one, other in self._jobs.items() if other.future.done()]
            for one in there[: max(0, len(self._jobs) - _KEPT)]:
                del self._jobs[one]
            return job

    def kept(self, wanted: K) -> Job[R] | None:
        """As it was asked for, however long ago; None: it was not, or more than a few others were since."""
        with self._lock:
            return self._jobs.get(wanted)

    def close(self) -> None:
        """Stops what is being calculated; returns once nothing is any more."""
        self._stop.set()
        self._thread.shutdown(wait=True, cancel_futures=True)

    def _is_over(self, job: Job[R]) -> bool:
        """It failed, or is no longer what one would get now."""
        if job.there_at_s is None:
            return False
        return self._clock() - job.there_at_s > _KEPT_S or job.future.exception() is not None

    def _run(self, calculate: Callable[[Told], R], job: Job[R]) -> R:
        def told(done: int, of: int) -> None:
            if self._stop.is_set():
                raise ProblemError(503, "The server is stopping.")
            job.told(done, of)

        try:
            return calculate(told)
        finally:
            job.there_at_s = self._clock()
