"""When to send records again, and how many: flow control towards the recorder's mark. Pure.

Like TCP: the mark acknowledges all before it, a window bounds what is on its way beyond it, and
where the mark does not move the window shrinks, the waiting doubles, and the batches get smaller:
a broker silently drops what is too large for it.
"""

from __future__ import annotations

from collections import deque
from typing import Final

LIVE_WAIT_S: Final = 5.0
BATCH_BYTES: Final = 180_000
_WINDOW_BATCHES: Final = 8
_FIRST_WAIT_S: Final = 2.0
_MAX_WAIT_S: Final = 30.0
MIN_BATCH_BYTES: Final = 1
_SMALL_BATCH_BYTES: Final = 1000
# So long a size that did not pass is not tried again.
_CEILING_S: Final = 600.0


class FlowControl:
    """Says which record a batch should begin with next, or None, and how large it may be."""

    def __init__(self, now_s: float, next_seq: int) -> None:
        """All that is in the journal at the start was not sent by this process, so it is due at once."""
        self._mark_seq = -1
        self._due_seq = next_seq - 1
        self._recent: deque[tuple[float, int]] = deque(maxlen=1000)
        # The last record of each batch on its way, and how large that batch might be.
        self._sent: deque[tuple[int, int]] = deque()
        self._passed_bytes = 0
        self._window = 1
        self._wait_s = _FIRST_WAIT_S
        self._moved_s = now_s
        self.batch_bytes = BATCH_BYTES
        self._has_moved = False
        self._ceiling_bytes = BATCH_BYTES
        self._ceiling_until_s = now_s

    @property
    def is_stuck(self) -> bool:
        """Whether not even a single record at a time moved the mark."""
        return self.batch_bytes == MIN_BATCH_BYTES and self._wait_s == _MAX_WAIT_S

    def marked(self, seq: int, now_s: float) -> None:
        """The recorder has stored everything up to `seq`."""
        if seq <= self._mark_seq:
            return
        self._mark_seq = seq
        while self._sent and self._sent[0][0] <= seq:
            self._passed_bytes = max(self._passed_bytes, self._sent.popleft()[1])
            self._window = min(self._window * 2, _WINDOW_BATCHES)
            self._grow(now_s)
        self._wait_s = _FIRST_WAIT_S
        self._moved_s = now_s

    def restart(self, now_s: float, next_seq: int) -> None:
        """After a new connection, or a new epoch: nothing is on its way any more, so that all there is is due."""
        # Some brokers end the connection of who sends too much at once.
        if self._sent and now_s - self._moved_s < self._wait_s:
            self._shrink(now_s)
        self._sent.clear()
        self._window, self._wait_s, self._moved_s = 1, _FIRST_WAIT_S, now_s
        self._due_seq = max(self._due_seq, next_seq - 1)

    def forget_mark(self) -> None:
        """A new epoch: no mark reaches it yet."""
        self._mark_seq = -1

    def tick(self, now_s: float, next_seq: int) -> None:
        """Time passes: what was sent live long enough ago and is not marked is due; what got no mark is sent anew."""
        if not self._recent or now_s - self._recent[-1][0] >= 0.2:
            self._recent.append((now_s, next_seq - 1))
        while self._recent and now_s - self._recent[0][0] >= LIVE_WAIT_S:
            self._due_seq = max(self._due_seq, self._recent.popleft()[1])
        if self._sent and now_s - self._moved_s >= self._wait_s:
            self._shrink(now_s)
            self._sent.clear()
            self._window = 1
            self._wait_s = min(self._wait_s * 2, _MAX_WAIT_S)
            self._moved_s = now_s

    def next_first_seq(self, oldest_seq: int) -> int | None:
        """Where the next batch begins, None where there is nothing to send now."""
        first = max(self._sent[-1][0] if self._sent else -1, self._mark_seq, oldest_seq - 1) + 1
        if first > self._due_seq or len(self._sent) >= self._window:
            return None
        return first

    def sent(self, last_seq: int, now_s: float) -> None:
        if not self._sent:
            self._moved_s = now_s
        self._sent.append((last_seq, self.batch_bytes))

    def _grow(self, now_s: float) -> None:
        self._has_moved = True
        ceiling_bytes = self._ceiling_bytes if now_s < self._ceiling_until_s else BATCH_BYTES
        self.batch_bytes = min(max(self.batch_bytes, _SMALL_BATCH_BYTES) * 2, ceiling_bytes)

    def _shrink(self, now_s: float) -> None:
        has_passed = self.batch_bytes <= self._passed_bytes
        smaller = self.batch_bytes // 2
        self.batch_bytes = smaller if smaller >= _SMALL_BATCH_BYTES else MIN_BATCH_BYTES
        if has_passed:
            # It may be that nobody is there to mark it; a size that passes no more is known by its next try.
            self._passed_bytes = 0
        elif self._has_moved:
            # The mark moved with smaller ones: it is the size that does not pass.
            self._ceiling_bytes, self._ceiling_until_s = self.batch_bytes, now_s + _CEILING_S
        self._has_moved = False
