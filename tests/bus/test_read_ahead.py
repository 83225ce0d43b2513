"""What is read ahead of a socket comes out as it went in, however it is asked for."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterator

import pytest

from noc_bus.read_ahead import Socket


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
