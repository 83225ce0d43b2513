"""Waiting for something to be so, with a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

_PAUSE_S = 0.02
_LONGEST_PAUSE_S = 0.2
# The longer it takes, the less a moment matters: to ask a browser or a service fifty times a second keeps it from what
# is waited for.
_PAUSE_SHARE = 0.05


def wait_until(
    condition: Callable[[], Any],
    deadline_s: float,
    what: str,
    *,
    seen: Callable[[], object] | None = None,
    pause_s: float = _PAUSE_S,
) -> Any:
    """What `condition` gave when it was first true. Fails with `what` and with what `seen` gives at the end.

    `pause_s`: how long to wait between two looks at least; longer where looking is work for what is looked at.
    """
    started_s = time.monotonic()
    while not (value := condition()):
        passed_s = time.monotonic() - started_s
        if passed_s > deadline_s:
            instead = f"; instead: {seen()}" if seen else ""
            raise AssertionError(f"waited {deadline_s:g} s in vain for: {what}{instead}")
        time.sleep(max(pause_s, min(passed_s * _PAUSE_SHARE, _LONGEST_PAUSE_S)))
    return value


def holds_for(condition: Callable[[], Any], duration_s: float, what: str) -> None:
    """Fails at the first moment within `duration_s` at which `condition` is not true."""
    started_s = time.monotonic()
    while (passed_s := time.monotonic() - started_s) < duration_s:
        assert condition(), f"after {passed_s:.1f} s this no longer held: {what}"
        time.sleep(_PAUSE_S)
