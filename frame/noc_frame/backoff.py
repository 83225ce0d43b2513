"""How long to wait before trying again: longer each time, never in step with others."""

from __future__ import annotations

import random


class Backoff:
    """Full jitter between `low_s` and a limit that doubles with each try up to `high_s`."""

    def __init__(self, low_s: float, high_s: float, rng: random.Random | None = None) -> None:
        self._low_s = low_s
        self._high_s = high_s
        self._rng = rng or random.Random()
        self._tries = 0

    def next_s(self) -> float:
        """Seconds to wait before the next try."""
        self._tries += 1
        # 2**32 is beyond any limit, and an endless row of tries must not overflow.
        return self._rng.uniform(
            self._low_s, max(self._low_s, min(self._high_s, self._low_s * 2 ** min(self._tries, 32)))
        )

    def reset(self) -> None:
        """It worked: begin again with short waits."""
        self._tries = 0
