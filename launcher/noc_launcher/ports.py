"""Ports of this machine: whether ours are free, and who listens."""

from __future__ import annotations

import errno
import socket
from typing import Final

from noc_launcher.errors import CommandError

MQTT_PORT: Final = 1883


def check_port(host: str, port: int, option: str) -> None:
    """Raises CommandError where nobody can listen there."""
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        with socket.socket(family) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(address)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise CommandError(
                f"Port {port} on {host} is in use by another program; choose another with {option}."
            ) from None
        if error.errno == errno.EACCES:
            raise CommandError(f"Port {port} is for root only; choose one above 1023 with {option}.") from None
        raise CommandError(
            f"{host!r} is no address of this machine ({error.strerror}); choose one with --host."
        ) from None


def mqtt_port(asked_for: int | None) -> int:
    """The port for our broker: the one asked for, else the usual one, else any that is free."""
    if asked_for:
        check_port("127.0.0.1", asked_for, "--mqtt-port")
        return asked_for
    try:
        check_port("127.0.0.1", MQTT_PORT, "--mqtt-port")
    except CommandError:
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
            return int(sock.getsockname()[1])
    return MQTT_PORT


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def local(host: str) -> str:
    """Where this machine reaches what listens on `host`."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  # compared, not bound
