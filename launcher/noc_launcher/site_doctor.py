"""`noc doctor --join TOKEN`: walks from a site to its NOC, and names the first step that fails with its cure."""

from __future__ import annotations

import socket
import threading
from typing import Final

from noc_bus.broker import Broker
from noc_bus.channels import (
    ASSIGNMENT_SUMMARIES,
    ASSIGNMENTS,
    COMMANDS,
    MARKS,
    PROBERS,
    SERVICES,
    SITES,
)
from noc_bus.messages import AssignmentSummary, ProberPresence, ServicePresence
from noc_bus.presence import PRESENCE_EVERY_S
from noc_bus.session import Session
from noc_bus.time import WRONG_CLOCK_MS, Time
from noc_bus.tls import tls_context, why_unreachable
from noc_frame import log
from noc_frame.finding import Finding

_ANSWER_S: Final = 5.0
# Of a broker that answers nothing: what it does answer ends it.
_LOGIN_S: Final = 15.0
_KEPT_ARRIVES_S: Final = 1.0
_SPOKEN_WITHIN_S: Final = PRESENCE_EVERY_S + 2.0


def walk(broker: Broker) -> list[Finding]:
    """Name, route, TLS, login, rights and time, by the first address that lets us in; else by the one that goes furthest."""
    ways = []
    for one in (broker, *broker.others):
        ways.append(_walk(one))
        if ways[-1][-1].level == "ok":
            return [*ways[-1], *_ask(one)]
    return max(ways, key=len)


def _walk(broker: Broker) -> list[Finding]:
    try:
        found = socket.getaddrinfo(broker.host, broker.port, type=socket.SOCK_STREAM)
    except OSError as error:
        cure = "check the address, and the name servers of this machine"
        return [Finding("name", "fail", f"{broker.host} cannot be resolved ({error.strerror}); {cure}")]
    findings = [Finding("name", "ok", f"{broker.host} is {found[0][4][0]}")]
    try:
        with socket.create_connection((broker.host, broker.port), _ANSWER_S) as sock:
            findings.append(Finding("route", "ok", f"port {broker.port} answers"))
            if broker.tls:
                with tls_context(broker).wrap_socket(sock, server_hostname=broker.host) as wrapped:
                    findings.append(Finding("tls", "ok", f"{wrapped.version()}, and its certificate is the right one"))
    except OSError as error:
        name = "route" if len(findings) == 1 else "tls"
        return [*findings, Finding(name, "fail", f"{broker} cannot be reached: {why_unreachable(error, broker)}")]
    login = _log_in(broker)
    # What a broker thinks of our certificate it says only after the handshake.
    return [*(findings[:-1] if login.name == "tls" else findings), login]


def _log_in(broker: Broker) -> Finding:
    log.configure("critical")
    session = Session(broker, f"noc-doctor-{broker.user}")
    session.start()
    try:
        if session.connects_within(_LOGIN_S):
            return Finding("login", "ok", f"let in as {broker.user}")
        return Finding("tls" if session.is_not_taken else "login", "fail", str(session.trouble))
    finally:
        session.stop()


def _ask(broker: Broker) -> list[Finding]:
    """Whether it may read and publish, and whether its clock is that of the NOC.

    What it publishes is what a second prober of the site says, which the first and everybody else let pass: a presence
    that casts no vote and is not kept. Of what a site writes it is the one thing that it may read again.
    """
    site = str(broker.user)
    session = Session(broker, f"noc-doctor-{site}")
    confirmed, heard_again = threading.Event(), threading.Event()
    clocks = _Clocks()

    def hear_own(message: ProberPresence | None, variables: dict[str, str]) -> None:
        if message is not None and message.instance == session.instance:
            heard_again.set()

    session.subscribe(SITES, lambda message, variables: None, site=site)
    session.subscribe(COMMANDS, lambda message, variables: None, site=site)
    session.subscribe(MARKS, lambda message, variables: None, site=site)
    session.subscribe(PROBERS, hear_own, site=site)
    # A NOC of the version before assigns nothing, and lets sites read its services instead.
    session.try_subscribe(ASSIGNMENTS, lambda message, variables: None, site=site)
    session.try_subscribe(ASSIGNMENT_SUMMARIES, clocks.hear_summary, site=site)
    session.try_subscribe(SERVICES, clocks.hear_service)
    session.when_connected(confirmed.set)
    session.start()
    try:
        if not confirmed.wait(_ANSWER_S):
            return [_no_right("it may not read what its prober has to know", session.trouble, site)]
        hello = ProberPresence(site=site, online=True, silenced=True, instance=session.instance, clock=Time.now())
        session.publish_once(PROBERS, hello)
        if not heard_again.wait(_ANSWER_S):
            return [_no_right("what it publishes does not reach anybody", session.trouble, site)]
        return [Finding("rights", "ok", f"it may publish and read as the site {site}"), clocks.compare()]
    finally:
        session.stop()


def _no_right(what: str, why: str | None, site: str) -> Finding:
    said = f" ({why})" if why else ""
    cure = f"get another token with `noc site rotate {site}`; on a broker of your own, give it the rights of a site"
    return Finding("rights", "fail", f"{what}{said}; {cure}")


class _Clocks:
    """Hears what the NOC says every ten seconds, and when by its clocks."""

    def __init__(self) -> None:
        self._first: dict[str, Time] = {}
        self._arrived = threading.Event()
        self._fresh = threading.Event()
        self._ahead_s = 0.0

    def hear_service(self, message: ServicePresence | None, variables: dict[str, str]) -> None:
        if message is not None and message.online and message.at is not None:
            self._hear(message.service, message.at)

    def hear_summary(self, message: AssignmentSummary | None, variables: dict[str, str]) -> None:
        if message is not None:
            self._hear(SERVICES.name, message.at)

    def _hear(self, who: str, at: Time) -> None:
        if self._fresh.is_set():
            return
        # The first may be what the broker has kept, of any age.
        if self._first.setdefault(who, at) != at:
            self._ahead_s = (Time.now() - at) / 1000
            self._fresh.set()
        self._arrived.set()

    def compare(self) -> Finding:
        """Waits until one of them speaks, where one is there at all."""
        if not self._arrived.wait(_KEPT_ARRIVES_S) or not self._fresh.wait(_SPOKEN_WITHIN_S):
            cure = "start NOC there; until then nobody takes what this site sends"
            return Finding("offset", "warn", f"no service of the NOC speaks, so that clocks cannot be compared; {cure}")
        ahead_s = self._ahead_s
        differs = f"{abs(ahead_s):.1f} s {'ahead of' if ahead_s > 0 else 'behind'} that of the NOC"
        if abs(ahead_s) * 1000 > WRONG_CLOCK_MS:
            cure = "run an NTP client on both (systemd-timesyncd, chrony)"
            return Finding(
                "offset", "fail", f"the clock of this machine is {differs}: times from here are wrong; {cure}"
            )
        return Finding("offset", "ok", f"the clock of this machine is {differs}")
