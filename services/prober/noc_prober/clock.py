"""When things happened: moments that never go back, and the wall time of each as well as it is known now.

A moment is a number of milliseconds that goes on while the machine sleeps (CLOCK_BOOTTIME). The wall
clock is only asked how far it lies from that. When it is put right, the wall times of all earlier moments
move with it; when time passed that nobody of us saw, moments jump over it.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from noc_bus.time import Time
from noc_frame import log

STOOD_STILL_S: Final = 5.0
"""Nobody looked at the clock for so long: this process or this machine did not run."""
_SAME_MS: Final = 1000
_STEP_MS: Final = 20
_MAX_FORMER: Final = 16
# The contract begins with the year 2000, and a machine without a clock of its own with 1970.
_EARLIEST: Final = Time.parse("2000-01-01T00:00:00Z")


@dataclass(frozen=True)
class Readings:
    """Where the three clocks are read, in seconds."""

    wall: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
    boot: Callable[[], float] = lambda: time.clock_gettime(time.CLOCK_BOOTTIME)


@dataclass(frozen=True)
class LostTime:
    """Nobody looked from the moment `start` up to `end`."""

    start: int
    end: int


@dataclass(frozen=True)
class _Former:
    """How far the wall clock was from the time since boot before a step, up to which moment, and the offsets then."""

    apart_ms: int
    until: int
    offsets: list[tuple[int, int]]


class Clock:
    """Used from one thread. `look` has to be called often: what it finds out, it logs."""

    def __init__(self, readings: Readings | None = None) -> None:
        self._readings = readings or Readings()
        self._skipped_ms = 0
        # How much was skipped altogether, from a moment on.
        self._skips: list[tuple[int, int]] = []
        # Wall time less moment, from a moment on; the last one is in force.
        self._offsets: list[tuple[int, int]] = []
        self._former: list[_Former] = []
        self._apart_ms, self._slept_ms = self._compare()
        self._offsets.append((-(2**62), self._apart_ms))
        # What a whole second since boot had behind its point on the wall, after each step.
        self._fractions_ms = deque([self._apart_ms % 1000], maxlen=_MAX_FORMER)
        self._looked = self.now()
        self.steps = 0
        """How often wall times were corrected."""
        self._log = log.get("noc.prober")

    # -- moments

    def now(self) -> int:
        return self._boot_ms() + self._skipped_ms

    def moment(self, loop_s: float) -> int:
        """Of a time on the event loop's clock that is not long ago or soon to come."""
        return round(loop_s * 1000) + self._slept_ms + self._skipped_ms

    # -- wall times

    def wall(self, moment: int) -> Time:
        for since, offset_ms in reversed(self._offsets):
            if moment >= since:
                return Time(max(moment + offset_ms, _EARLIEST))
        raise AssertionError("the first offset holds from the beginning")

    def moment_of(self, wall: Time) -> int:
        return wall - self._offsets[-1][1]

    # -- what happens to clocks

    def look(self) -> LostTime | None:
        """Compare the clocks. Time in which nobody looked, where there was some since the last call."""
        before = self._looked
        apart_ms, self._slept_ms = self._compare()
        if abs(apart_ms - self._apart_ms) >= _STEP_MS:
            self._accept(apart_ms)
        self._looked = now = self.now()
        if now - before < STOOD_STILL_S * 1000:
            return None
        self._log.warning(f"nothing was seen for {(now - before) / 1000:.0f} s: this process or machine did not run")
        return LostTime(before, now)

    def _accept(self, apart_ms: int) -> None:
        """The wall clock was set. Is the time between not seen, or was the clock wrong until now?"""
        step_ms = apart_ms - self._apart_ms
        former = _Former(self._apart_ms, self.now(), self._offsets)
        self._apart_ms = apart_ms
        self.steps += 1
        if abs(step_ms) >= _SAME_MS:
            returned = next((one for one in reversed(self._former) if abs(one.apart_ms - apart_ms) < _SAME_MS), None)
            self._former = [*self._former, former][-_MAX_FORMER:]
            self._log.warning(f"the wall clock of this machine was set by {step_ms / 1000:+.1f} s")
            if returned:
                self._return_to(returned)
                return
        if step_ms >= STOOD_STILL_S * 1000:
            # Also what a machine does that was paused without noticing it.
            self._skipped_ms += step_ms
            self._skips = [*self._skips, (self.now(), self._skipped_ms)][-_MAX_FORMER:]
            return
        # A step back by whole seconds would give cycles the very times of earlier ones.
        offset_ms = self._offsets[-1][1]
        self._fractions_ms.append(offset_ms % 1000)
        while (offset_ms + step_ms) % 1000 in self._fractions_ms:
            step_ms += 1
        self._fractions_ms.append((offset_ms + step_ms) % 1000)
        self._offsets = [(since, offset_ms + step_ms) for since, offset_ms in self._offsets]

    def _return_to(self, former: _Former) -> None:
        """The clock was wrong since then: what seemed to be time nobody saw was none, and dated wrongly what came after."""
        drift_ms = self._apart_ms - former.apart_ms
        offsets = [(since, offset_ms + drift_ms) for since, offset_ms in former.offsets]
        offsets += [(since, self._apart_ms - skipped_ms) for since, skipped_ms in self._skips if since > former.until]
        self._offsets = [offsets[0], *offsets[1:][-_MAX_FORMER:]]

    def _compare(self) -> tuple[int, int]:
        """How far the wall clock is from the time since boot, and that from the loop's clock: ms asleep, mostly."""
        read = self._readings
        boot_s, wall_s, monotonic_s = read.boot(), read.wall(), read.monotonic()
        for _ in range(5):
            if read.boot() - boot_s < 0.002:
                break
            # Somebody else had the processor between two readings.
            boot_s, wall_s, monotonic_s = read.boot(), read.wall(), read.monotonic()
        # A machine without a clock of its own counts from 1970, before the contract's times begin.
        wall_ms = round(wall_s * 1000)
        wall_ms = wall_ms if wall_ms >= _EARLIEST else wall_ms + _EARLIEST
        boot_ms = round(boot_s * 1000)
        return wall_ms - boot_ms, boot_ms - round(monotonic_s * 1000)

    def _boot_ms(self) -> int:
        return round(self._readings.boot() * 1000)


def boot_number() -> int:
    """Names this start of the machine; 0 where the system does not tell."""
    try:
        name = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")
    except OSError:
        return 0
    return int(name.replace("-", "").strip()[:15] or "0", 16)


def boot_ms() -> int:
    """Milliseconds since this machine was started, asleep or not."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000
