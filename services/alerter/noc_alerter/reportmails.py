"""Takes reports into the outbox, each once however often it comes, and says so once they are safe there."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

from noc_alerter.notify.outbox import Outbox
from noc_bus.bus import Bus
from noc_bus.channels import REPORT_MAIL_ANSWERS, REPORT_MAILS
from noc_bus.messages import ReportMail, ReportMailAnswer
from noc_bus.time import Time
from noc_frame import log
from noc_frame.sqlite import DatabaseFault

# What finds no room comes again.
_MOST_WAITING: Final = 20


class ReportMails:
    """Told on the bus's thread, kept by `tick`."""

    def __init__(self, bus: Bus, outbox: Outbox, wake: Callable[[], None], is_silenced: Callable[[], bool]) -> None:
        """`wake` tells those who send; `is_silenced`: another alerter was here first, and takes it instead."""
        self._bus = bus
        self._outbox = outbox
        self._wake = wake
        self._is_silenced = is_silenced
        self._waiting: deque[ReportMail] = deque(maxlen=_MOST_WAITING)
        bus.subscribe(REPORT_MAILS, self._on_report)

    def tick(self) -> None:
        while self._waiting:
            report = self._waiting.popleft()
            try:
                self._outbox.queue_report(report, Time.now())
            except DatabaseFault as fault:
                log.get("noc.alerter").error(f"the report {report.report} cannot be queued, and comes again: {fault}")
                continue
            self._wake()
            self._bus.publish(REPORT_MAIL_ANSWERS, ReportMailAnswer(report=report.report, at=Time.now()))

    def _on_report(self, report: ReportMail | None, variables: dict[str, str]) -> None:
        if report is not None and not self._is_silenced():
            self._waiting.append(report)
