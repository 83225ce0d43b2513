"""Start the alerter: settings, session, database, and the thread that mails."""

from __future__ import annotations

import contextlib
import functools
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from typing import Final

from noc_alerter.alerter import Alerter
from noc_alerter.config import SETTINGS, Config
from noc_alerter.lease import RENEWED_EVERY_S, Lease
from noc_alerter.ledger import Ledger
from noc_alerter.notes import Notes
from noc_alerter.notify import apprised
from noc_alerter.notify.channels import Channels
from noc_alerter.notify.heartbeat import Heartbeat
from noc_alerter.notify.outbox import Outbox
from noc_alerter.notify.post import Post
from noc_alerter.notify.samples import samples
from noc_alerter.notify.sender import Sender
from noc_alerter.notify.templating import Templates
from noc_alerter.notify.trials import Trials
from noc_alerter.queries import Queries
from noc_alerter.reportmails import ReportMails
from noc_alerter.settings import Settings
from noc_bus.presence import offline, service_health
from noc_bus.session import Session
from noc_bus.time import Time
from noc_frame import log, process
from noc_frame.settings import SettingError
from noc_frame.sqlite import DatabaseFault

_APPRISE_AFTER_S: Final = 60
_TICK_S: Final = 0.2
_ILL_WITH: Final = ("ledger-fault", "outbox-fault", "mail-refused")
"""The codes of its trouble with which it keeps no incident, or tells nobody."""


def run(config: Config, stop: threading.Event) -> None:
    """Judge and mail until stopped. Raises SettingError for an unusable data folder, SessionDied."""
    try:
        ledger = Ledger(config.data / "alerter.sqlite")
    except DatabaseFault as fault:
        raise SettingError(f"NOC_DATA: {fault}.") from None
    lease = Lease(ledger.database, config.data)
    if not _stand_by(lease, stop):
        lease.close()
        ledger.close()
        return
    ledger.database.guard = lease.guard
    settings = Settings.load(config)
    made_up = samples(config.mail_zone) if config.mail_templates else None
    templates = Templates(config.mail_templates, config.data, made_up, _say_of_templates)
    outbox = Outbox(ledger.database)
    channels = Channels(settings, config.public_url, config.mail_zone, templates, outbox.mail_domain)

    def deliver(recipient: str, content: bytes) -> str:
        # Where another has taken over while we slept, it is that one's mail now.
        lease.insist()
        return channels.deliver(recipient, content)

    sender = Sender(outbox, channels.write, deliver, channels.refusal)
    post, senders = Post(sender), sender.start(stop)
    if why := settings.means.why_no_mail:
        log.get("noc.alerter").info(f"incidents are kept and shown, but nobody is mailed: {why}")
    session = Session(config.broker, "noc-alerter", will=functools.partial(offline, "alerter"))
    alerter = Alerter(session, ledger, post, settings, str(config.broker), config.group_wait_s)
    Trials(session, channels.try_one, lambda: settings.means, lambda: alerter.is_silenced)
    queries = Queries(session, ledger, lambda: alerter.is_silenced)
    notes = Notes(session, ledger, alerter.note, lambda: alerter.is_silenced)
    report_mails = ReportMails(session, sender.outbox, post.wake, lambda: alerter.is_silenced)
    heartbeat = Heartbeat(lambda: settings.means, lambda: alerter.is_well)
    alerter.heartbeat = heartbeat
    alerter.template_faults = lambda: templates.faults
    senders.append(heartbeat.start(stop))
    threading.Thread(target=_ask_apprise, args=[alerter, settings, stop], name="apprise", daemon=True).start()
    session.start()
    check_at_s = 0.0
    while not stop.wait(0 if alerter.is_busy else _TICK_S):
        now_s = time.monotonic()
        if now_s >= check_at_s:
            check_at_s = now_s + RENEWED_EVERY_S
            _renew(lease)
            session.check()
            templates.look()
            # Asked in this order: they end by themselves once we are to stop.
            if not all(thread.is_alive() for thread in senders) and not stop.is_set():
                raise RuntimeError("a thread that tells people has ended by itself")
        alerter.tick(Time.now())
        notes.tick(Time.now())
        queries.tick()
        report_mails.tick()
    alerter.say_goodbye()
    session.stop()
    post.wake()
    for thread in senders:
        thread.join(timeout=0.5)
    with contextlib.suppress(DatabaseFault):
        lease.release()
    ledger.close()


def _stand_by(lease: Lease, stop: threading.Event) -> bool:
    """Wait until no other alerter acts on this data folder. False: stopped before."""
    is_said = False
    while True:
        try:
            if lease.take():
                return True
            if not is_said:
                is_said = True
                log.get("noc.alerter").warning(
                    f"another alerter, on {lease.holder()}, acts on this data folder; this one stands by until it is gone"
                )
        except DatabaseFault as fault:
            raise SettingError(f"NOC_DATA: {fault}.") from None
        if stop.wait(RENEWED_EVERY_S):
            return False


def _ask_apprise(alerter: Alerter, settings: Settings, stop: threading.Event) -> None:
    # Loading all that it knows keeps a processor busy for seconds: not while everything else starts, unless it is used.
    for _ in range(_APPRISE_AFTER_S):
        if any(one.kind == "apprise" for contact in settings.means.book.contacts.values() for one in contact.channels):
            break
        if stop.wait(1):
            return
    try:
        alerter.apprise_schemes = apprised.schemes()
    except (OSError, subprocess.SubprocessError) as error:
        log.get("noc.alerter").error(f"Apprise does not say what it knows: {error}")


def _say_of_templates(sentence: str) -> None:
    log.get("noc.alerter").error(f"mail templates: {sentence}; the mail that comes with NOC is sent instead")


def _renew(lease: Lease) -> None:
    """Raises lease.Lost: this process ends, and stands by when it is started again."""
    try:
        lease.renew()
    except DatabaseFault:
        # Nobody else can take it while the disk is full; the ledger says what is wrong with it.
        return


def health(config: Config) -> int:
    return service_health("alerter", config.broker, ill_with=_ILL_WITH)


def main(argv: Sequence[str] | None = None) -> int:
    about = "Judges all sites together, keeps the incidents and mails them."
    return process.main("alerter", about, SETTINGS, Config.read, run, health, argv)


if __name__ == "__main__":
    sys.exit(main())
