"""When to send records again, and how many: flow control towards the recorder's mark. Pure.

Like TCP: the mark acknowledges all before it, a window bounds what is on its way beyond it, and
where the mark does not move the window shrinks and the waiting doubles.
"""

from __future__ import annotations

from collections import deque
from typing import Final

LIVE_WAIT_S: Final = 5.0
BATCH_BYTES: Final = 180_000
_WINDOW_BATCHES: Final = 8
_FIRST_WAIT_S: Final = 2.0
_LONGEST_WAIT_S: Final = 30.0


class Replay:
    """Says which record a batch should begin with next, or None."""

    def __init__(self, now_s: float, next_seq: int) -> None:
        """All that is in the journal at the start was not sent by this process, so it is due at once."""
        self._mark_seq = -1
        self._due_seq = next_seq - 1
        self._recent: deque[tuple[float, int]] = deque(maxlen=1000)
        self._sent: deque[int] = deque()
        self._window = 1
        self._wait_s = _FIRST_WAIT_S
        self._moved_s = now_s

    def marked(self, seq: int, now_s: float) -> None:
        """The recorder has stored everything up to `seq`."""
        if seq <= self._mark_seq:
            return
        self._mark_seq = seq
        while self._sent and self._sent[0] <= seq:
            self._sent.popleft()
            self._window = min(self._window * 2, _WINDOW_BATCHES)
        self._wait_s = _FIRST_WAIT_S
        self._moved_s = now_s

    def restart(self, now_s: float) -> None:
        """After a new connection, or a new epoch: nothing is on its way any more."""
        self._sent.clear()
        self._window, self._wait_s, self._moved_s = 1, _FIRST_WAIT_S, now_s

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
            self._sent.clear()
            self._window = 1
            self._wait_s = min(self._wait_s * 2, _LONGEST_WAIT_S)
            self._moved_s = now_s

    def next_first_seq(self, oldest_seq: int) -> int | None:
        """Where the next batch begins, None where there is nothing to send now."""
        first = max(self._sent[-1] if self._sent else -1, self._mark_seq, oldest_seq - 1) + 1
        if first > self._due_seq or len(self._sent) >= self._window:
            return None
        return first

    def sent(self, last_seq: int, now_s: float) -> None:
        if not self._sent:
            self._moved_s = now_s
        self._sent.append(last_seq)
