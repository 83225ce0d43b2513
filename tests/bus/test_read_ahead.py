"""What is read ahead of a socket comes out as it went in, however it is asked for."""

from __future__ import annotations

import random
import socket
import ssl
import threading
from collections.abc import Iterator
from typing import Literal

import pytest
from paho.mqtt.client import WebsocketConnectionError

from noc_bus.read_ahead import Client, Message, Socket


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, Socket]]:
    """The far end, and ours, which does not wait."""
    far, near = socket.socketpair()
    ours = Socket(near)
    ours.setblocking(False)
    with far, near:
        yield far, ours


def test_it_comes_in_its_order_whatever_is_asked_for(ends: tuple[socket.socket, Socket]) -> None:
    far, ours = ends
    rng = random.Random(8)
    sent = rng.randbytes(100_000)
    got, rest = b"", sent
    while len(got) < len(sent):
        some, rest = rest[:9000], rest[9000:]
        far.sendall(some)
        for _ in range(rng.randrange(20)):
            asked = rng.choice([1, 1, 2, 300, 5000])
            try:
                read = ours.recv(asked)
            except BlockingIOError:
                assert not ours.pending()
                break
            assert 0 < len(read) <= asked
            got += read
    assert got == sent


def test_it_says_how_much_is_there_although_the_system_knows_of_nothing(ends: tuple[socket.socket, Socket]) -> None:
    far, ours = ends
    assert not ours.pending()
    far.sendall(b"abcd")
    assert ours.recv(1) == b"a"
    assert ours.pending() == 3
    assert ours.recv(10) == b"bcd"
    assert not ours.pending()


def test_nothing_there_and_the_end_are_what_they_are_of_a_socket(ends: tuple[socket.socket, Socket]) -> None:
    far, ours = ends
    with pytest.raises(BlockingIOError):
        ours.recv(1)
    far.sendall(b"last")
    far.close()
    assert ours.recv(100) == b"last"
    assert ours.recv(100) == b""
    assert ours.recv(1) == b""


def packet(head: int, body: bytes) -> bytes:
    length, left = b"", len(body)
    while True:
        left, low = divmod(left, 128)
        length += bytes([low | (0x80 if left else 0)])
        if not left:
            return bytes([head]) + length + body


def publish(topic: bytes, payload: bytes, head: int = 0x30) -> bytes:
    return packet(head, len(topic).to_bytes(2) + (topic if head & 6 == 0 else topic + b"\0\7") + payload)


@pytest.mark.parametrize(
    ("sent", "is_taken"),
    [
        (publish(b"a/b", b"payload"), True),
        (publish(b"a/b", b""), True),
        (publish(b"a/b", b"payload", 0x31), True),
        (publish("a/ö".encode(), b"\xff" * 127), True),
        (publish(b"a/b", b"x" * 20_000), True),
        (publish(b"a/b", b"payload", 0x32), False),
        (publish(b"\xff", b"payload"), False),
        (publish(b"", b"payload"), False),
        (packet(0x30, b"\0\7a/b"), False),
        (packet(0x30, b"\0"), False),
        (packet(0x30, b""), False),
        (packet(0xD0, b""), False),
        (b"\x30\x80", False),
        (b"\x30\xff\xff\xff\xff\x01", False),
        (publish(b"a/b", b"payload")[:-1], False),
    ],
    ids=[
        "plain", "empty payload", "retained", "not ASCII", "large", "QoS 1", "topic no UTF-8", "no topic",
        "topic longer than all", "half a length", "nothing in it", "an answer to a ping", "half a length of it",
        "a length of five bytes", "not all here",
    ],
)  # fmt: skip
def test_what_is_here_as_a_whole_is_taken_and_all_else_left(
    ends: tuple[socket.socket, Socket], sent: bytes, is_taken: bool
) -> None:
    far, ours = ends
    far.sendall(sent)
    # Read, and put back.
    ours.recv(1)
    ours._place -= 1
    assert (ours.next_message() is not None) == is_taken
    assert ours.pending() == (0 if is_taken else len(sent))


def test_taken_past_paho_or_not_the_messages_are_the_same() -> None:
    """In runs as they come off a line: cut anywhere, of all kinds, with some at QoS 1 between."""
    rng = random.Random(8)
    wanted: list[Message] = []
    stream = b""
    for number in range(3000):
        topic, payload = f"noc/{rng.choice(['a', 'bö'])}/{number}", rng.randbytes(rng.choice([0, 1, 120, 130, 2000]))
        head = rng.choice([0x30, 0x30, 0x31, 0x32])
        wanted.append((topic, payload, head == 0x31))
        stream += publish(topic.encode(), payload, head)
    far, near = socket.socketpair()
    got: list[Message] = []
    client = Client(lambda *message: got.append(message), "us", "tcp")
    client.on_message = lambda _, __, one: got.append((one.topic, bytes(one.payload), one.retain))
    near.setblocking(False)
    client._sock = Socket(near)
    with far, near:
        while stream:
            size = rng.randrange(1, 30_000)
            some, stream = stream[:size], stream[size:]
            far.sendall(some)
            while client.loop_read() == 0 and len(got) < len(wanted) and client._sock and client._sock.is_ahead:
                pass
        for _ in range(50):
            client.loop_read()
    assert got == wanted


@pytest.mark.parametrize(
    ("transport", "is_tls"), [("tcp", True), ("websockets", False), ("websockets", True)], ids=["tls", "ws", "wss"]
)
def test_a_connection_that_does_not_come_about_is_closed_at_once(
    transport: Literal["tcp", "websockets"], is_tls: bool
) -> None:
    """Over TLS the broker ends the handshake, over WebSocket it is no broker."""
    client = Client(lambda *_: None, "one", transport)
    if is_tls:
        client.tls_set_context(ssl.create_default_context())
    seen: list[bytes] = []

    def refuse() -> None:
        with server.accept()[0] as accepted:
            accepted.settimeout(10)
            seen.append(accepted.recv(4096))
            if not is_tls:
                accepted.sendall(b"HTTP/1.1 404 Not Found\r\n\r\n")
            accepted.shutdown(socket.SHUT_WR)
            # Nothing, at the end of what the client has to say.
            while seen[-1]:
                seen.append(accepted.recv(4096))

    with socket.create_server(("127.0.0.1", 0)) as server:
        broker = threading.Thread(target=refuse, daemon=True)
        broker.start()
        # What is left open is closed with the last word about it, which may be much later: here it is kept.
        with pytest.raises((ssl.SSLError, WebsocketConnectionError)) as raised:
            client.connect("127.0.0.1", server.getsockname()[1], 10)
        broker.join(10)
    assert seen[-1] == b"", raised.value
