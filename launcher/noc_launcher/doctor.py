"""`noc doctor`: looks at everything a NOC needs on this machine, and names the cure for what is missing."""

from __future__ import annotations

import ctypes
import http.client
import os
import shutil
import smtplib
import sqlite3
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Final

from noc_alerter.config import MAIL_FROM, MAIL_TEMPLATES, MAIL_TO, SMTP_URL
from noc_bus.broker import MQTT_URL, Broker
from noc_bus.join import JOIN
from noc_bus.session import Session
from noc_frame import log
from noc_frame.finding import Finding
from noc_frame.settings import SettingError
from noc_launcher import running
from noc_launcher.site_doctor import walk
from noc_prober.sockets import NoIcmp, open_all

_ANSWER_S: Final = 5.0
_LEAST_FREE_BYTES: Final = 1_000_000_000
# Of Linux's `struct timex` we read only whether the call says "not synchronised".
_TIMEX_BYTES: Final = 512
_TIME_ERROR: Final = 5
_FAULTS_TOLD: Final = 5
_RELEASED_S: Final = 1_790_000_000
NEWEST_PYTHON: Final = (3, 13)
"""Newer ones are taken; those up to this one were tried."""


def examine(folder: Path, environment: Mapping[str, str], *, send_mail: bool = False) -> list[Finding]:
    """Everything, in the order in which one thing needs the other. Takes a few seconds where something is silent.

    `send_mail`: a test mail goes to everybody in NOC_MAIL_TO, and what the server says to it is told.
    """
    if JOIN.is_set(environment):
        return examine_site(folder, environment)
    checks: list[Callable[[], Finding]] = [
        python,
        icmp,
        lambda: data_folder(folder),
        lambda: broker(folder, environment),
        lambda: web(folder),
        lambda: test_mail(environment) if send_mail else mail(environment),
        *([lambda: templates(folder, environment)] if MAIL_TEMPLATES.is_set(environment) else []),
        clock,
    ]
    return [check() for check in checks]


def examine_site(folder: Path, environment: Mapping[str, str]) -> list[Finding]:
    """Of a site that a token makes: what its prober needs, and every step to its NOC."""
    findings = [python(), icmp(), data_folder(folder, made_by="the prober")]
    try:
        join = JOIN.read(environment)
    except SettingError as error:
        return [*findings, Finding("token", "fail", str(error))]
    assert join
    return [*findings, journal(folder / f"prober-{join.site}.sqlite"), *walk(join.broker()), clock()]


def python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] > NEWEST_PYTHON:
        tried = ".".join(map(str, NEWEST_PYTHON))
        return Finding(
            "python", "warn", f"{version}; NOC was tried with 3.11 to {tried}: use one where something fails"
        )
    return Finding("python", "ok", version)


def icmp() -> Finding:
    try:
        sockets = open_all()
    except NoIcmp as error:
        return Finding("icmp", "fail", str(error))
    kinds = [f"IPv{family} {'raw' if one.is_raw else 'unprivileged'}" for family, one in sockets.items()]
    for one in sockets.values():
        one.close()
    return Finding("icmp", "ok", ", ".join(kinds))


def journal(path: Path) -> Finding:
    """What the prober of a site has measured and the NOC has not stored yet."""
    try:
        if not path.exists():
            return Finding("journal", "ok", f"{path} is not there yet; the prober makes it")
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            (waiting,) = connection.execute("SELECT count(*) FROM records").fetchone()
        size_mb = path.stat().st_size / 1e6
    except (OSError, sqlite3.Error) as error:
        cure = "run this as the user of the prober; a damaged one the prober sets aside, and starts another"
        return Finding("journal", "fail", f"{path} cannot be read ({error}); {cure}")
    return Finding("journal", "ok", f"{path}, {size_mb:.0f} MB, {waiting} records not stored by the NOC yet")


def data_folder(folder: Path, made_by: str = "./noc up") -> Finding:
    if not folder.exists():
        return Finding("data", "warn", f"{folder} is not there yet; {made_by} makes it")
    if not folder.is_dir() or not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        return Finding(
            "data", "fail", f"{folder} is no folder this user may write; name another with --data or NOC_DATA"
        )
    free = shutil.disk_usage(folder).free
    if free < _LEAST_FREE_BYTES:
        return Finding("data", "warn", f"{folder} has only {free / 1e6:.0f} MB left on its disk; make room")
    return Finding("data", "ok", f"{folder}, {free / 1e9:.0f} GB free")


def broker(folder: Path, environment: Mapping[str, str]) -> Finding:
    is_given = MQTT_URL.is_set(environment)
    url = running.read(folder).get("mqtt")
    if not is_given and not url:
        return Finding("broker", "warn", "none is running; start one with ./noc up, or name one in NOC_MQTT_URL")
    try:
        where = MQTT_URL.read(environment) if is_given else Broker.parse(str(url))
        log.configure("error")
        session = Session(where, "noc-doctor")
    except SettingError as error:
        return Finding("broker", "fail", str(error))
    session.start()
    try:
        if session.connects_within(_ANSWER_S):
            return Finding("broker", "ok", str(where))
        return Finding("broker", "fail", f"{session.trouble}; check that it runs, and NOC_MQTT_URL")
    finally:
        session.stop()


def web(folder: Path) -> Finding:
    where = running.read(folder).get("web")
    if where is None:
        return Finding("web", "warn", f"no ./noc up is running on {folder}")
    host, _, port = where.rpartition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=_ANSWER_S)
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        body = answer.read(500).decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        return Finding("web", "fail", f"{where} does not answer ({error}); the lines of ./noc up say why")
    finally:
        connection.close()
    if answer.status == 200:
        return Finding("web", "ok", f"http://{where} is ready")
    return Finding("web", "fail", f"http://{where} is not ready: {' '.join(body.split())}")


def mail(environment: Mapping[str, str]) -> Finding:
    try:
        server = SMTP_URL.read(environment)
    except SettingError as error:
        return Finding("mail", "fail", str(error))
    if server is None:
        return Finding(
            "mail", "warn", "NOC_SMTP_URL is not set, so nobody is mailed; set it to smtp://user:password@host"
        )
    connect = smtplib.SMTP_SSL if server.tls else smtplib.SMTP
    try:
        with connect(server.host, server.port, timeout=_ANSWER_S) as dialogue:
            dialogue.ehlo()
            if server.starttls and not dialogue.has_extn("starttls"):
                cure = "add ?starttls=0 to NOC_SMTP_URL to send unencrypted"
                return Finding("mail", "fail", f"{server} does not offer STARTTLS; {cure}")
    except (OSError, smtplib.SMTPException) as error:
        return Finding("mail", "fail", f"{server} does not answer ({error}); check NOC_SMTP_URL and the mail server")
    return Finding("mail", "ok", str(server))


def test_mail(environment: Mapping[str, str]) -> Finding:
    """Send one to everybody who would be mailed; the server's own words."""
    from noc_alerter.notify import try_mail
    from noc_alerter.notify.smtp import NotDelivered

    try:
        server, sender, people = SMTP_URL.read(environment), MAIL_FROM.read(environment), MAIL_TO.read(environment)
    except SettingError as error:
        return Finding("mail", "fail", str(error))
    if not (server and sender and people):
        return Finding("mail", "fail", "nobody is mailed: set NOC_SMTP_URL, NOC_MAIL_FROM and NOC_MAIL_TO")
    said, failed = [], False
    for one in people:
        try:
            said.append(f"{one}: {try_mail(server, sender, one)}")
        except NotDelivered as error:
            failed = True
            said.append(f"{one}: {error}")
    return Finding("mail", "fail" if failed else "ok", "; ".join(said))


def templates(data: Path, environment: Mapping[str, str]) -> Finding:
    """The mail templates of the user's: syntax, names, each filled in with made-up incidents, and size."""
    from noc_alerter.notify.samples import samples
    from noc_alerter.notify.templating import Templates, names

    try:
        folder = MAIL_TEMPLATES.read(environment)
    except SettingError as error:
        return Finding("templates", "fail", str(error))
    assert folder
    faults = Templates(folder, data, samples()).faults
    if faults:
        more = f"; and {len(faults) - _FAULTS_TOLD} more" if len(faults) > _FAULTS_TOLD else ""
        cure = "until that is mended the mails that come with NOC are sent in their place"
        return Finding("templates", "fail", f"{'; '.join(faults[:_FAULTS_TOLD])}{more}; {cure}")
    own = [name for name in names() if (folder / name).is_file()]
    return Finding("templates", "ok", f"{folder} replaces {', '.join(own) or 'nothing yet'}")


def clock() -> Finding:
    now = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime())
    if time.time() < _RELEASED_S:
        return Finding("clock", "fail", f"{now} is in the past; set the clock")
    if ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES)) == _TIME_ERROR:
        return Finding("clock", "warn", f"{now}, not synchronised; run an NTP client (systemd-timesyncd, chrony)")
    return Finding("clock", "ok", now)
