"""The thread that packs what was stored, deletes what is too old and gives space back.

It works so much a second, and never in the writer's way.
"""

from __future__ import annotations

import threading
import time
from typing import Final

from noc_frame import log
from noc_history.store import Store, StoreError, days_ago
from noc_rules.share import pct

BUDGET_S: Final = 0.25
"""Of every second."""
_EVERY_S: Final = 1.0
_RETRY_S: Final = 60.0
_LOOK_EVERY_S: Final = 60.0
_LOG_EVERY_S: Final = 3600.0


class Maintenance:
    """Lives in one thread, which runs `run`; the figures may be read from others."""

    def __init__(self, store: Store, keep_days: int | None, every_s: float = _EVERY_S) -> None:
        self.trouble: str | None = None
        """How the store is set up wrongly, with the cure."""
        self.deleted_rows = 0
        self.freed_bytes = 0
        self.repeated_rows = 0
        """Cycles that were stored already when they came again."""
        self.backlog_rows = 0
        self.worked_s = 0.0
        self._store = store
        self._keep_days = keep_days
        self._every_s = every_s
        self._look_at_s = self._log_at_s = self._progress_at_s = time.monotonic()
        self._old_rows = self._brought_rows = 0
        self._log = log.get("noc.recorder")

    def run(self, stop: threading.Event) -> None:
        wait_s = self._every_s
        while not stop.wait(wait_s):
            wait_s = self._every_s
            try:
                self._look()
                self._work()
            except StoreError as error:
                # What is too old and cannot be deleted must not keep what is new from being stored.
                wait_s = max(self._every_s, _RETRY_S)
                self._tell(error)

    @property
    def figures(self) -> dict[str, float]:
        figures: dict[str, float] = {
            "maintenance_deleted_total": self.deleted_rows,
            "maintenance_freed_bytes_total": self.freed_bytes,
            "maintenance_s_total": round(self.worked_s, 3),
            "maintenance_backlog": self.backlog_rows,
        }
        return figures

    def _work(self) -> None:
        begun_s = time.monotonic()
        before = None if self._keep_days is None else days_ago(self._keep_days)
        done = self._store.maintain(before, BUDGET_S)
        self.worked_s += time.monotonic() - begun_s
        self.deleted_rows += done.deleted_rows
        self.freed_bytes += done.freed_bytes
        self.repeated_rows += done.repeated_rows
        self.backlog_rows = done.backlog_rows
        self._tell_progress(done.old_rows)

    def _tell_progress(self, old_rows: int) -> None:
        """Of bringing what an older version stored into the present form: once a minute, and at its end."""
        if old_rows:
            self._brought_rows += max(0, self._old_rows - old_rows)
        is_over = bool(self._old_rows) and not old_rows
        if is_over:
            self._log.info("everything that an older version stored is in the present form")
        elif old_rows and time.monotonic() >= self._progress_at_s:
            self._progress_at_s = time.monotonic() + _LOOK_EVERY_S
            total = self._brought_rows + old_rows
            brought_pct = pct(self._brought_rows, total, 0)
            self._log.info(f"{brought_pct:g} % of {total:,} cycles of an older version brought into the present form")
        self._old_rows = old_rows

    def _look(self) -> None:
        if time.monotonic() < self._look_at_s:
            return
        self._look_at_s = time.monotonic() + _LOOK_EVERY_S
        trouble = self._store.trouble()
        if trouble is not None and trouble != self.trouble:
            self._log.error(trouble)
        self.trouble = trouble

    def _tell(self, error: StoreError) -> None:
        if time.monotonic() >= self._log_at_s:
            self._log_at_s = time.monotonic() + _LOG_EVERY_S
            self._log.error(f"{error}; old cycles stay for now, the next try is in a minute")
