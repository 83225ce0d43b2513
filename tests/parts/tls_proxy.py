"""A proxy as people put before web services: it ends TLS, looks at the path, and passes WebSockets on."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from pathlib import Path
from typing import Self


class TlsProxy:
    """A context manager on loopback. What asks for `path` goes to `to_path` of a server with TLS; all else is 404.

    Without a `path` it passes on whatever is inside TLS.
    """

    def __init__(self, certificate: Path, key: Path, path: str, to_port: int, to_path: str) -> None:
        self._own = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._own.load_cert_chain(certificate, key)
        self._theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        # Behind it is a network of its own.
        self._theirs.check_hostname = False
        self._theirs.verify_mode = ssl.CERT_NONE
        self._path, self._to_port, self._to_path = path, to_port, to_path
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._threads: list[threading.Thread] = []
        self._ends: list[socket.socket] = []

    def __enter__(self) -> Self:
        self._spawn(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        for one in (self._listener, *self._ends):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)
        for one in (self._listener, *self._ends):
            one.close()

    def _spawn(self, run: object, *arguments: object) -> None:
        thread = threading.Thread(target=run, args=arguments, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._spawn(self._serve, client)

    def _serve(self, client: socket.socket) -> None:
        self._ends.append(client)
        with contextlib.suppress(OSError):
            inner = self._own.wrap_socket(client, server_side=True)
            self._ends.append(inner)
            head = b""
            if not self._path:
                self._pass_on(inner, head)
                return
            while b"\r\n\r\n" not in head:
                data = inner.recv(4096)
                if not data:
                    return
                head += data
            asked = head.split(b" ", 2)
            if asked[1].decode() != self._path:
                inner.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                inner.shutdown(socket.SHUT_RDWR)
                return
            self._pass_on(inner, b" ".join((asked[0], self._to_path.encode(), asked[2])))

    def _pass_on(self, inner: ssl.SSLSocket, head: bytes) -> None:
        server = self._theirs.wrap_socket(socket.create_connection(("127.0.0.1", self._to_port)))
        self._ends.append(server)
        server.sendall(head)
        self._spawn(_pump, server, inner)
        _pump(inner, server)


def _pump(one: socket.socket, other: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := one.recv(65536):
            other.sendall(data)
    with contextlib.suppress(OSError):
        other.shutdown(socket.SHUT_RDWR)
