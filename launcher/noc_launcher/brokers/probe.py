"""Whether a broker serves: asked as any client asks, because one that only listens may be deaf (its disk was full)."""

from __future__ import annotations

import secrets
import socket
import struct
from typing import Final

_WAIT_S: Final = 3.0
_REFUSALS: Final = {
    1: "protocol refused",
    2: "client id refused",
    3: "unavailable",
    4: "bad password",
    5: "not allowed",
}


def trouble(port: int) -> str | None:
    """Why a client without a name gets no connection on this port of loopback; None where it gets one."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=_WAIT_S) as sock:
            sock.sendall(_connect())
            answer = sock.recv(4)
            if answer[:2] != b"\x20\x02" or len(answer) < 4:
                return "it closes connections" if not answer else "it answers something else than MQTT"
            if answer[3]:
                return f"it refuses connections: {_REFUSALS.get(answer[3], f'code {answer[3]}')}"
            sock.sendall(b"\xe0\x00")
    except TimeoutError:
        return f"it does not answer within {_WAIT_S:g} s"
    except OSError as error:
        return f"it cannot be connected to: {error.strerror or error}"
    return None


def _connect() -> bytes:
    """MQTT 3.1.1's CONNECT: a clean session, a client id that nobody else has, no name."""
    client_id = f"noc-probe-{secrets.token_hex(6)}".encode()
    body = b"\x00\x04MQTT\x04\x02" + struct.pack("!HH", 10, len(client_id)) + client_id
    return b"\x10" + bytes([len(body)]) + body
