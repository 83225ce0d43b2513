"""`noc doctor --join TOKEN`: walks from a site to its NOC, and names the first step that fails with its cure."""

from __future__ import annotations

import socket
import threading
from typing import Final

from noc_bus.broker import Broker
from noc_bus.channels import SITES, TARGETS
from noc_bus.session import Session, tls_context, why_unreachable
from noc_frame import log
from noc_frame.finding import Finding

_ANSWER_S: Final = 5.0


def walk(broker: Broker) -> list[Finding]:
    """Name, route, TLS and login, by the first address that goes all the way; else by the one that goes furthest."""
    ways = []
    for one in (broker, *broker.others):
        ways.append(_walk(one))
        if ways[-1][-1].level == "ok":
            return ways[-1]
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
    return [*findings, _log_in(broker)]


def _log_in(broker: Broker) -> Finding:
    """Who is let in may read what the site is told."""
    log.configure("critical")
    session = Session(broker, f"noc-doctor-{broker.user}")
    connected = threading.Event()
    session.when_connected(connected.set)
    session.subscribe(TARGETS, lambda message, variables: None)
    session.subscribe(SITES, lambda message, variables: None, site=str(broker.user))
    session.start()
    try:
        if connected.wait(_ANSWER_S):
            return Finding("login", "ok", f"let in as {broker.user}, with the rights of a site")
        return Finding("login", "fail", str(session.trouble))
    finally:
        session.stop()
