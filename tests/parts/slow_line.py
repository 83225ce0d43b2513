"""A line to a TCP port on which every byte takes its time, both ways."""

from __future__ import annotations

import contextlib
import queue
import socket
import threading
import time
from typing import Final, Self

_ENDED: Final = b""


class SlowLine:
    """A context manager: connections to `port` of `host` arrive at `to_port` of loopback, each way `delay_s` later."""

    def __init__(self, host: str, to_port: int, delay_s: float) -> None:
        self._to_port, self._delay_s = to_port, delay_s
        self._listener = socket.create_server((host, 0))
        self.port: int = self._listener.getsockname()[1]
        self._ends: list[socket.socket] = []

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for one in (self._listener, *self._ends):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._to_port))
                self._ends += [client, server]
                for one, other in ((client, server), (server, client)):
                    under_way: queue.SimpleQueue[tuple[float, bytes]] = queue.SimpleQueue()
                    threading.Thread(target=self._take, args=(one, under_way), daemon=True).start()
                    threading.Thread(target=_give, args=(other, under_way), daemon=True).start()

    def _take(self, one: socket.socket, under_way: queue.SimpleQueue[tuple[float, bytes]]) -> None:
        data = b"x"
        while data:
            try:
                data = one.recv(65536)
            except OSError:
                data = _ENDED
            under_way.put((time.monotonic() + self._delay_s, data))


def _give(other: socket.socket, under_way: queue.SimpleQueue[tuple[float, bytes]]) -> None:
    with contextlib.suppress(OSError):
        while True:
            due_s, data = under_way.get()
            time.sleep(max(0.0, due_s - time.monotonic()))
            if data == _ENDED:
                other.shutdown(socket.SHUT_RDWR)
                return
            other.sendall(data)
