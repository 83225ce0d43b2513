"""Attackers: a stolen site key over MQTT, and strangers and a viewer over HTTP. Nothing here is meant well.

    python -m tests.parts.hostile mqtt|http SETTINGS    (a JSON object of what `mqtt` or `http` takes)

Prints how often what was answered, as JSON.
"""

from __future__ import annotations

import contextlib
import json
import random
import socket
import sys
import time
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from noc_bus.channels import CHANNELS, DEFAULT_ROOT
from tests.parts.mqtt_wire import Wire

GOLDEN: Final = Path(__file__).parents[2] / "bus" / "golden"
STOLEN: Final = "paris"
_FROM: Final = "127.0.0.9"
_PER_CONNECTION: Final = 500
_ANSWER_S: Final = 5.0

PAYLOADS: Final[tuple[bytes, ...]] = (
    b"",
    b"x",
    b"\xff\xfe\x00\xed\xa0\x80",
    rb'{"site": "paris", "reason": "\ud800"}',
    b"NaN",
    b'{"seq": NaN}',
    b'{"seq": 1e999}',
    b'{"seq": ' + b"9" * 5000 + b"}",
    b"[" * 100_000,
    b'{"site": "paris", "site": "here"}',
    b'{"seq": true}',
    b'{"at": "1970-01-01T00:00:00.000Z"}',
    b'{"at": "2262-04-12T00:00:00.000Z"}',
    b'{"seq": 9223372036854775808}',
    b'{"target": "../../etc/passwd"}',
    b'{"results": [' + b'{"rtts_ms": []},' * 5000 + b"{}]}",
    zlib.compress(b"0" * 1_000_000),
    b"null",
    b"[]",
    b'"text"',
)
"""Of the security checklist's corpus: each a way in which a decoder has been broken somewhere."""

PATHS: Final = (
    "/../../etc/passwd",
    "/%2e%2e/%2e%2e/etc/passwd",
    "//etc/passwd",
    "/static/..%2f..%2f..%2fetc/passwd",
    "/api/v1/targets/%00",
    "/api/v1/targets/%ff%fe",
    "/api/v1/targets/" + "a" * 4000,
    "/api/v1/targets/a/history?points=" + "9" * 200,
    "/api/v1/targets/a/history?from=-1&to=nan",
    "/api/v1/status?" + "&".join(f"a{number}=1" for number in range(500)),
    "/login?next=//evil.example",
    "/socket.io/?EIO=4&transport=polling",
    "/socket.io/?EIO=4&transport=websocket",
    "/metrics",
    "/healthz",
    "/nothing",
    "/api/v1/sites/paris/ping",
    "/api/v1/targets/import",
    "/api/v1/incidents/x/acknowledge",
    "/api/v1/incidents/x/comments",
    "/api/v1/incidents/x/post-mortem",
)
BODIES: Final = (
    b"",
    b"{",
    b"[" * 20_000,
    b'{"address": "' + b"a" * 5000 + b'"}',
    b'{"address": "\xff"}',
    b'{"' + b"k" * 5000 + b'": 1}',
    b"NaN",
    b'{"interval_s": 1e999}',
    b"<x>" * 500,
)
METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "G\x00T")


def mqtt(port: int, password: str, count: int, rate: float, seed: int) -> Counter[str]:
    """`count` messages by whoever stole the key of the site paris: on its own topics, and on everybody's."""
    chance, said = random.Random(seed), Counter[str]()
    golden = [one for path in sorted(GOLDEN.glob("*.json")) for one in json.loads(path.read_bytes())]
    pace = _Pace(rate)
    while said["sent"] < count:
        try:
            with Wire(port, STOLEN, password, client_id=f"hostile-{said['connections']}") as wire:
                said["connections"] += 1
                for _ in range(min(_PER_CONNECTION, count - said["sent"])):
                    wire.publish(_topic(chance), _payload(chance, golden), retain=chance.random() < 0.2)
                    said["sent"] += 1
                    pace.wait()
                wire.ping()
        except OSError:
            said["cut"] += 1
        if chance.random() < 0.1:
            with contextlib.suppress(OSError):
                Wire(port, "web", "guessed", client_id="noc-web").vanish()
    return said


def _topic(chance: random.Random) -> str:
    channel = chance.choice(CHANNELS)
    given = {name: chance.choice((STOLEN, STOLEN, "here", "x", "host")) for name in channel.variables}
    return f"{DEFAULT_ROOT}/{channel.topic.format(**given)}"


def _payload(chance: random.Random, golden: list[dict[str, Any]]) -> bytes:
    if chance.random() < 0.3:
        return chance.choice(PAYLOADS)
    # A message that was right, with one thing in it that is not.
    message = dict(chance.choice(golden))
    name = chance.choice(list(message))
    message[name] = chance.choice((None, -1, 2**63, True, "", "x" * 2000, [], {}, [[[]]], 1e300, "here", STOLEN))
    if "site" in message and chance.random() < 0.7:
        message["site"] = STOLEN
    raw = json.dumps(message).encode()
    return raw[: chance.randrange(len(raw))] if chance.random() < 0.1 else raw


def http(port: int, token: str, count: int, rate: float, seed: int) -> Counter[str]:
    """`count` requests by strangers, and by whoever has a viewer's token."""
    chance, said = random.Random(seed), Counter[str]()
    pace = _Pace(rate)
    for _ in range(count):
        said[_answer(port, b"".join(_request(chance, token)))] += 1
        pace.wait()
    return said


def _request(chance: random.Random, token: str) -> Iterator[bytes]:
    if chance.random() < 0.05:
        yield chance.randbytes(chance.randrange(1, 400))
        return
    body = chance.choice(BODIES)
    yield f"{chance.choice(METHODS)} {chance.choice(PATHS)} HTTP/1.1\r\nHost: {chance.choice(('x', 'evil.example'))}\r\n".encode()
    if chance.random() < 0.5:
        yield f"Authorization: Bearer {token if chance.random() < 0.7 else 'noc_' + 'x' * 40}\r\n".encode()
    if chance.random() < 0.3:
        yield b"Cookie: noc_session=" + chance.randbytes(30).hex().encode() + b"\r\nX-Forwarded-For: 127.0.0.1\r\n"
    if chance.random() < 0.2:
        yield b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: x\r\n"
    length = len(body) + (chance.choice((0, 0, 0, 5, 10**9)))
    yield f"Content-Type: {chance.choice(('application/json', 'text/csv', 'x'))}\r\nContent-Length: {length}\r\n".encode()
    yield b"Connection: close\r\n\r\n" + body


def _answer(port: int, request: bytes) -> str:
    """The status, or what came instead."""
    try:
        with socket.create_connection(("127.0.0.1", port), _ANSWER_S, source_address=(_FROM, 0)) as connection:
            connection.sendall(request)
            connection.shutdown(socket.SHUT_WR)
            first = connection.recv(64)
    except TimeoutError:
        return "silent"
    except OSError:
        return "cut"
    return first[9:12].decode("ascii", "replace") if first.startswith(b"HTTP/1.") else "nothing"


class _Pace:
    def __init__(self, rate: float) -> None:
        self._gap_s, self._due_s = 1 / rate, time.monotonic()

    def wait(self) -> None:
        self._due_s = max(self._due_s + self._gap_s, time.monotonic() - 1)
        time.sleep(max(0.0, self._due_s - time.monotonic()))


if __name__ == "__main__":
    given = json.loads(sys.argv[2])
    print(json.dumps(mqtt(**given) if sys.argv[1] == "mqtt" else http(**given)))
