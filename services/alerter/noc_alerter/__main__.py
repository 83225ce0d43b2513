"""Start the alerter: settings, session, database, and the thread that mails."""

from __future__ import annotations

import functools
import sys
import threading
import time
from collections.abc import Sequence
from typing import Final

from noc_alerter import smtp
from noc_alerter.alerter import Alerter
from noc_alerter.config import SETTINGS, Config
from noc_alerter.database import Database
from noc_alerter.mail import Mailer
from noc_alerter.outbox import Outbox
from noc_bus import presence
from noc_bus.session import Session
from noc_bus.time import Time
from noc_frame import log, process
from noc_frame.settings import SettingError
from noc_frame.sqlite import DatabaseFault

_TICK_S: Final = 0.2


def run(config: Config, stop: threading.Event) -> None:
    """Judge and mail until stopped. Raises SettingError for an unusable data folder, SessionDied."""
    path = config.data / "alerter.sqlite"
    try:
        database = Database(path)
    except DatabaseFault as fault:
        raise SettingError(f"NOC_DATA: {fault}.") from None
    mailer = outbox = sender = None
    if config.smtp:
        mailer = Mailer(config.mail_from, config.public_url)
        outbox = Outbox(database, functools.partial(smtp.deliver, config.smtp), str(config.smtp))
        sender = threading.Thread(target=outbox.run, args=[stop], name="outbox", daemon=True)
        sender.start()
    else:
        log.get("noc.alerter").info("NOC_SMTP_URL is not set: incidents are kept and shown, but nobody is mailed")
    session = Session(config.broker, "noc-alerter", will=lambda instance: presence.offline("alerter", instance))
    alerter = Alerter(session, database, mailer, config.mail_to, outbox)
    session.start()
    check_at_s = announce_at_s = 0.0
    while not stop.wait(_TICK_S):
        alerter.tick(Time.now())
        now_s = time.monotonic()
        if now_s >= check_at_s:
            check_at_s = now_s + 1.0
            session.check()
            if sender and not sender.is_alive():
                raise RuntimeError("the outbox's thread has ended by itself")
        if now_s >= announce_at_s:
            announce_at_s = now_s + presence.PRESENCE_EVERY_S
            alerter.announce()
    alerter.say_goodbye()
    session.stop()
    if sender:
        sender.join(timeout=5)
    database.close()


def health(config: Config) -> int:
    return presence.service_health("alerter", config.broker)


def main(argv: Sequence[str] | None = None) -> int:
    about = "Judges all sites together, keeps the incidents and mails them."
    return process.main("alerter", about, SETTINGS, Config.read, run, health, argv)


if __name__ == "__main__":
    sys.exit(main())
