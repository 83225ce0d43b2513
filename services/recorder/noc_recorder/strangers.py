"""Records of targets that are in no catalogue: stored, while a site has only so many of them.

The catalogue may be late or lost, so that such records are worth keeping; a site that makes names up
must not fill the store.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Final

from noc_frame import log

MAX_IDS: Final = 20_000
"""Of one site."""
_LOG_EVERY_S: Final = 3600.0


class Strangers:
    """`is_known` says whether a target is or was in the catalogue."""

    def __init__(self, is_known: Callable[[str], bool], max_ids: int = MAX_IDS) -> None:
        self.refused = 0
        self._is_known = is_known
        self._max_ids = max_ids
        self._ids: dict[str, set[str]] = defaultdict(set)
        self._logged_s: dict[str, float] = {}
        self._log = log.get("noc.recorder")

    def restore(self, series: Iterable[tuple[str, str]]) -> None:
        """Count those that are stored, by target and site."""
        self._ids.clear()
        for target, site in series:
            if not self._is_known(target):
                self._ids[site].add(target)

    def admits(self, site: str, target: str) -> bool:
        """Whether to store a record; one that is not is counted."""
        if self._is_known(target):
            return True
        ids = self._ids[site]
        if target in ids:
            return True
        if len(ids) < self._max_ids:
            ids.add(target)
            return True
        self.refused += 1
        now_s = time.monotonic()
        if now_s - self._logged_s.get(site, -_LOG_EVERY_S) >= _LOG_EVERY_S:
            self._logged_s[site] = now_s
            self._log.error(
                f"the site {site} sends records of more than {self._max_ids} targets that are in no catalogue, "
                f"the last of them {target}: they are not stored; look at what runs there under that name"
            )
        return False
