"""Paths to targets: followed on a thread of their own, one at a time, once a day, at each outage and on request."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from msgspec.structs import replace

from noc_bus.messages import Assignment, GoodPath, State, Trace
from noc_frame import log
from noc_prober.addresses import BadAddress, Destination
from noc_prober.codes import ReplyCode
from noc_prober.instruments import Instruments
from noc_prober.resolver import Unresolved, destinations
from noc_prober.trace import CannotTrace, Path, reverse_name, trace
from noc_prober.turns import DAY_S, FIRST_AFTER_S, RETRY_S, Turns
from noc_prober.watch import Watch
from noc_rules.routes import merged, same_route
from noc_rules.site_state import Reason

EVERY_S: Final = 1.0
"""No two traces of a site start closer together."""
_WAITING: Final = 20
_LOOKS: Final = 5
_MAX_NAMES: Final = 50_000
_UP: Final = frozenset({State.UP, State.DEGRADED})

Follow = Callable[[Destination, float], Path]
"""Takes the destination and the target's own timeout in seconds."""
Done = Callable[[Trace | Reason], None]
"""Called on the tracer's thread with what was found, as it is retained, or why nothing was."""


class Job(NamedTuple):
    target: Assignment
    to: Destination
    done: Done


class Tracer:
    """Follows paths and retains them. `ask` and `is_idle` belong to the event loop."""

    def __init__(self, instruments: Instruments, watches: Mapping[str, Watch], follow: Follow | None = None) -> None:
        self._with = instruments
        self._watches = watches
        self._follow = follow or _following()
        self._jobs: queue.Queue[Job] = queue.Queue(maxsize=_WAITING)
        self._is_following = False
        self._started_s = float("-inf")
        self._stop = threading.Event()
        self._log = log.get("noc.prober")
        self._thread = threading.Thread(target=self._run, name="traces", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Nobody waits in vain: who asked for a path that is not followed any more is told."""
        self._stop.set()
        while True:
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                return
            job.done(Reason(ReplyCode.CANCELLED, "the trace was cancelled: the prober is stopping"))

    def ask(self, target: Assignment, done: Done) -> None:
        """Follow the path to it. Raises BadAddress, Unresolved, and queue.Full where too many wait."""
        self._jobs.put_nowait(Job(target, destinations(target, self._with.resolver)[0], done))

    @property
    def is_idle(self) -> bool:
        return not self._is_following and self._jobs.empty()

    def _run(self) -> None:
        while True:
            job = self._jobs.get()
            self._is_following = True
            try:
                job.done(self._found(job))
            except Exception:  # noqa: BLE001  # whatever one path did, the next one is followed
                self._log.exception(f"the path to {job.target.id} could not be followed")
                text = f"the path to {job.target.id} could not be followed; the prober's log says why"
                job.done(Reason(ReplyCode.FAILED, text))
            finally:
                self._is_following = False

    def _found(self, job: Job) -> Trace | Reason:
        target = job.target
        before = self._with.writer.traces.get((self._with.site, target.id))
        try:
            found = look_again(lambda: self._traced(job), _good(before) if before else None)
        except CannotTrace as problem:
            return Reason(ReplyCode.CANNOT_TRACE, str(problem))
        if target.id not in self._watches:
            # A path retained now would be nobody's.
            return Reason(ReplyCode.UNKNOWN_TARGET, f"{target.id} was removed meanwhile")
        if not found.reached:
            found = replace(found, last_good=_good(before) if before else None)
        return self._with.writer.keep_trace(found)

    def _traced(self, job: Job) -> Trace:
        self._stop.wait(self._started_s + EVERY_S - time.monotonic())
        self._started_s = time.monotonic()
        clock = self._with.clock
        at = clock.wall(clock.now())
        path = self._follow(job.to, job.target.timeout_ms / 1000)
        return Trace(
            site=self._with.site,
            target=job.target.id,
            address=path.address,
            at=at,
            reached=path.is_reached,
            hops=path.hops,
        )


class Tracing:
    """Has paths followed without being asked. Runs on the event loop; `tick` about once a second."""

    def __init__(self, instruments: Instruments, watches: Mapping[str, Watch], tracer: Tracer) -> None:
        self._with = instruments
        self._watches = watches
        self._tracer = tracer
        self._turns = Turns(lambda target: instruments.writer.traces.get((instruments.site, target)))

    def add(self, target: str) -> None:
        """It is watched from now on."""
        self._turns.add(target, self._now_s)

    def moved(self, target: str) -> None:
        """It has another address."""
        self._turns.put_off(target, self._now_s + FIRST_AFTER_S)

    def resume(self) -> None:
        self._turns.resume(self._with.down)

    def tick(self) -> None:
        now_s = self._now_s
        self._turns.observe(self._with.down, now_s)
        # A site that sees nothing would find that all paths break off at its own door.
        while self._tracer.is_idle and not self._with.blindness and (target := self._turns.take(now_s, self._is_up)):
            try:
                self._tracer.ask(self._watches[target].target, lambda found: None)
            except (BadAddress, Unresolved, queue.Full):
                self._turns.put_off(target, now_s + RETRY_S)
            else:
                return

    def _is_up(self, target: str) -> bool | None:
        watch = self._watches.get(target)
        return None if watch is None else watch.view.state in _UP

    @property
    def _now_s(self) -> float:
        clock = self._with.clock
        return clock.wall(clock.now()) / 1000


def look_again(follow: Callable[[], Trace], known: GoodPath | None) -> Trace:
    """Follow a path, and where it seems to be another route than the known one, up to four times more, all put together.

    Its routers may share the load: then the others show themselves too.
    """
    found = follow()
    if known is None or known.address != found.address or not found.reached:
        return found
    paths = [found.hops]
    while not same_route(known, found) and len(paths) < _LOOKS:
        again = follow()
        if not again.reached:
            return again
        paths.append(again.hops)
        found = replace(again, hops=merged(paths))
    return found


def _good(trace: Trace) -> GoodPath | None:
    if trace.reached:
        return GoodPath(at=trace.at, address=trace.address, hops=trace.hops)
    return trace.last_good


def _following() -> Follow:
    """With names of routers that are asked for once a day: they are the same ones on the way to many targets."""
    names: dict[str, tuple[float, str | None]] = {}

    def name_of(address: str) -> str | None:
        now_s = time.monotonic()
        known = names.get(address)
        if known and known[0] > now_s:
            return known[1]
        if len(names) >= _MAX_NAMES:
            names.clear()
        name = reverse_name(address)
        names[address] = now_s + DAY_S, name
        return name

    return lambda to, timeout_s: trace(to, timeout_s, name_of)
