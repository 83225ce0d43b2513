"""TLS to the broker: whom we trust, what we show of ourselves, and in words why a connection does not come about."""

from __future__ import annotations

import os
import socket
import ssl
from typing import Final

import paho.mqtt.client as mqtt

from noc_bus.broker import Broker
from noc_frame.settings import SettingError

# OpenSSL's codes for a certificate that is not valid yet, or no longer.
_NOT_NOW: Final = (9, 10)
_ALERT_S: Final = 5.0
# What a broker answers to what we have shown of ourselves, in OpenSSL's words.
_NONE_SHOWN: Final = "CERTIFICATE_REQUIRED"
_EXPIRED: Final = "CERTIFICATE_EXPIRED"
_NOT_TAKEN: Final = ("UNKNOWN_CA", "BAD_CERTIFICATE", "CERTIFICATE_UNKNOWN", "UNSUPPORTED_CERTIFICATE")


def tls_context(broker: Broker) -> ssl.SSLContext:
    """Whom a connection to the broker trusts, and what it shows of itself. Raises SettingError."""
    context = _trusting(broker)
    if broker.certificate:
        _show(context, broker.certificate)
    return context


def _trusting(broker: Broker) -> ssl.SSLContext:
    if broker.authority:
        context = ssl.create_default_context(cadata=broker.authority)
        # It signs for one broker only, which may be called anything and move anywhere.
        context.check_hostname = False
        return context
    try:
        return ssl.create_default_context(cafile=broker.ca)
    except OSError as error:
        raise SettingError(
            f"NOC_MQTT_URL: {broker.ca} cannot be read as certificates ({error.strerror or error}); "
            "name a readable PEM file after ?ca="
        ) from None


def _show(context: ssl.SSLContext, certificate: str) -> None:
    # Python takes a certificate of its own from a file only; this one never gets to a disk.
    descriptor = os.memfd_create("noc-certificate")
    try:
        os.write(descriptor, certificate.encode())
        context.load_cert_chain(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)


def pem(certificate: bytes, private_key: bytes) -> str:
    """What a token has as DER, for `Broker.certificate`. Raises ValueError where they do not belong together."""
    key = ssl.DER_cert_to_PEM_cert(private_key).replace("CERTIFICATE", "PRIVATE KEY")
    both = ssl.DER_cert_to_PEM_cert(certificate) + key
    try:
        _show(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), both)
    except ssl.SSLError:
        raise ValueError("its certificate and key cannot be used") from None
    return both


def why_refused(broker: Broker) -> str | None:
    """Why a broker ends a connection after the handshake, which it does without a word to its client's library.

    Asked on a connection on which nothing else is said: what comes unread at a broker that closes would take its alert
    away. None: it is not for what we show of ourselves. Takes a few seconds at most.
    """
    if not broker.tls:
        return None
    try:
        with (
            socket.create_connection((broker.host, broker.port), _ALERT_S) as sock,
            tls_context(broker).wrap_socket(sock, server_hostname=broker.host) as wrapped,
        ):
            wrapped.recv(1)
    except ssl.SSLError as error:
        return _why_not_shown(error, broker)
    except (OSError, SettingError):
        return None
    return None


def why_unreachable(error: OSError, broker: Broker) -> str:
    """In words, with the cure."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _why_not_trusted(error, broker)
    if isinstance(error, ssl.SSLError):
        return (
            _why_not_shown(error, broker) or f"it does not speak TLS there ({error.reason or error}); check the address"
        )
    reason = error.strerror or str(error)
    if isinstance(error, mqtt.WebsocketConnectionError) and broker.joined and broker.authority is None:
        where = f"at {broker.path}, to the path /mqtt of the listener"
        return f"{reason}; check that its proxy passes WebSockets on {where}"
    if broker.joined:
        return f"{reason}; check that NOC runs there with --listen, and that port {broker.port} is open on the way"
    return reason


def _why_not_trusted(error: ssl.SSLCertVerificationError, broker: Broker) -> str:
    if error.verify_code in _NOT_NOW:
        return f"its certificate is not valid now ({error.verify_message}); check the clock of this machine"
    if broker.joined and broker.authority is None:
        return (
            f"its certificate is not one that this machine trusts ({error.verify_message}); "
            "check the address, and whether another proxy in between opens TLS"
        )
    if broker.joined:
        return (
            f"its certificate is not one of the NOC that made this token ({error.verify_message}); "
            "check the address, and whether a proxy in between opens TLS, "
            f"or get another token with `noc site rotate {broker.joined}`"
        )
    return (
        f"its certificate is not accepted ({error.verify_message}); "
        "name the certificate authority's file after ?ca= in NOC_MQTT_URL"
    )


def _why_not_shown(error: ssl.SSLError, broker: Broker) -> str | None:
    """Where it is for the certificate of ours."""
    alert = error.reason or ""
    cure = f"get another token with `noc site rotate {broker.joined}`" if broker.joined else "only join tokens have one"
    if alert.endswith(_NONE_SHOWN):
        return f"it asks for a certificate, and we have none: {cure}"
    if alert.endswith(_EXPIRED):
        return f"it says that our certificate is not valid now; check the clocks of both machines, or {cure}"
    if alert.endswith(_NOT_TAKEN):
        return f"it does not take our certificate, which is not of the authority that it asks for: {cure}"
    return None
