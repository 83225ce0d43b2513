"""The HTTP server: gevent's, with a limit to everything a stranger can make it hold.

Every phase of a request has a time and a size, connections are counted by address and in all, what
strangers do wrong fills no log, and a stop answers what is being asked.
"""

from __future__ import annotations

import contextlib
import errno
import resource
import socket
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import gevent
from gevent import pywsgi

from noc_frame import log
from noc_frame.settings import SettingError
from noc_web.live.websocket import CONNECTION
from noc_web.logs import Allowance

STRANGERS_OF_ONE_ADDRESS: Final = 500
"""Connections of one address that are no live page of somebody who is logged in."""
_CONNECTIONS: Final = 20_000
# For the databases, the broker, and whatever a thread opens.
_OTHER_DESCRIPTORS: Final = 150
_REQUEST_LINE_S: Final = 10.0
_IDLE_S: Final = 30.0
_HEADERS_S: Final = 10.0
_HEADER_BYTES: Final = 32_000
_SEND_S: Final = 60.0
_LINGER_S: Final = 2.0
_LINGER_BYTES: Final = 1_000_000
_log = log.get("noc.web")


def listen(host: str, port: int) -> Any:
    """The port, taken before anything else is begun. Raises SettingError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return pywsgi.WSGIServer.get_listener((host, port), backlog=1024, family=family)
    except (OSError, OverflowError) as error:
        raise SettingError(
            f"NOC_HTTP_HOST and NOC_HTTP_PORT: {host}:{port} cannot be listened on "
            f"({error}); use another port or an address of this machine."
        ) from None


def raise_descriptors() -> int:
    """Allow this process as many open files as it may have; how many."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY:
        hard = _CONNECTIONS + _OTHER_DESCRIPTORS
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


@dataclass
class Connection:
    """One connection, as the application sees it under CONNECTION in a request's environment."""

    socket: Any
    reader: Any
    admit: Callable[[], None]
    """Says that it belongs to somebody who is logged in: it counts as a stranger's no more."""


class Server(pywsgi.WSGIServer):  # type: ignore[misc]  # gevent has no types
    def __init__(self, listener: Any, application: Any, *, name: str, descriptors: int, one_address: int) -> None:
        """`name`: of this machine, for the environment. `one_address`: how many strangers one address may be."""
        # Without a name it asks the DNS for one, which takes ten seconds where that is silent.
        named = {"SERVER_NAME": name}
        super().__init__(
            listener, application, log=None, error_log=_ErrorLog(), handler_class=_Handler, environ=named
        )  # fmt: skip
        self.answering = 0
        self.is_stopping = False
        self.allowance = Allowance()
        self._most = max(50, min(_CONNECTIONS, descriptors - _OTHER_DESCRIPTORS))
        self._most_of_one = min(one_address, self._most // 2)
        self._connections = 0
        self._strangers: Counter[str] = Counter()

    def handle(self, client: Any, address: Any) -> None:
        host = str(address[0]) if isinstance(address, tuple) and address else ""
        if self._connections >= self._most or self._strangers[host] >= self._most_of_one:
            _turn_away(client)
            return
        self._connections += 1
        self._strangers[host] += 1
        is_stranger = True

        def admit() -> None:
            nonlocal is_stranger
            if is_stranger:
                is_stranger = False
                self._forget(host)

        try:
            handler = self.handler_class(client, address, self)
            handler.connection = Connection(client, handler.rfile, admit)
            handler.handle()
        finally:
            admit()
            self._connections -= 1

    def _forget(self, host: str) -> None:
        self._strangers[host] -= 1
        if not self._strangers[host]:
            del self._strangers[host]

    def drain(self, within_s: float) -> None:
        """Take no more connections and requests, and wait until those that are being answered have been."""
        self.is_stopping = True
        self.close()
        deadline_s = time.monotonic() + within_s
        while self.answering and time.monotonic() < deadline_s:
            gevent.sleep(0.02)


class _Handler(pywsgi.WSGIHandler):  # type: ignore[misc]  # gevent has no types
    """One connection and its requests."""

    connection: Connection
    # Those who are gone, or take nothing for too long, are no news.
    ignored_socket_errors = (errno.EPIPE, errno.ECONNRESET, errno.ETIMEDOUT, errno.ENOTCONN, errno.EBADF, "timed out")

    def __init__(self, client: Any, *arguments: Any, **options: Any) -> None:
        super().__init__(client, *arguments, **options)
        client.settimeout(_SEND_S)
        self._wait_s = _REQUEST_LINE_S

    def read_requestline(self) -> str:
        with gevent.Timeout(self._wait_s, TimeoutError("no request came")):
            line: str = super().read_requestline()
        self._wait_s = _IDLE_S
        return "" if self.server.is_stopping else line

    def read_request(self, raw_requestline: str) -> bool:
        with gevent.Timeout(_HEADERS_S, ValueError("the headers took too long")):
            return bool(super().read_request(raw_requestline))

    def MessageClass(self, reader: Any, *more: Any) -> Any:  # noqa: N802  # pywsgi's name
        return super().MessageClass(_Limited(reader, _HEADER_BYTES), *more)

    def get_environ(self) -> dict[str, Any]:
        environ: dict[str, Any] = super().get_environ()
        environ[CONNECTION] = self.connection
        return environ

    def handle_one_response(self) -> None:
        is_request = not self._connection_upgrade_requested()
        self.server.answering += is_request
        try:
            super().handle_one_response()
        finally:
            self.server.answering -= is_request

    def run_application(self) -> None:
        try:
            super().run_application()
        finally:
            if self.environ.get("HTTP_UPGRADE"):
                # What still arrives on it is no further request.
                self.close_connection = True
            elif self._has_unread_body():
                self._leave_unread()

    def finalize_headers(self) -> None:
        super().finalize_headers()
        if self.server.is_stopping or self._has_unread_body():
            self.close_connection = True
            self.response_headers.append((b"Connection", b"close"))

    def _has_unread_body(self) -> bool:
        taken = self.wsgi_input
        if taken.chunked_input:
            return bool(taken.chunk_length != 0)
        return bool(taken.position < (taken.content_length or 0))

    def _leave_unread(self) -> None:
        """A body that nobody asked for: dropped for a moment, so that the answer arrives, and then cut off."""
        self.wsgi_input.content_length, self.wsgi_input.chunked_input = 0, False
        self.close_connection = True
        dropped = 0
        with contextlib.suppress(OSError), gevent.Timeout(_LINGER_S, False):
            self.socket.shutdown(socket.SHUT_WR)
            while dropped < _LINGER_BYTES and (data := self.rfile.read1(16_384)):
                dropped += len(data)

    def _log_error(self, kind: Any, error: Any, traceback: Any) -> None:
        if issubclass(kind, Exception) and self.server.allowance.takes():
            path = str(self.path)[:200]
            _log.error("a request failed", extra=log.values(path=path), exc_info=(kind, error, traceback))


class _Limited:
    """A reader of lines that ends after so many bytes."""

    def __init__(self, reader: Any, left: int) -> None:
        self._reader = reader
        self._left = left

    def readline(self, limit: int) -> Any:
        line = self._reader.readline(min(limit, self._left + 1))
        self._left -= len(line)
        if self._left < 0:
            raise ValueError(f"the headers are larger than {_HEADER_BYTES} bytes")
        return line


class _ErrorLog:
    """Where gevent's server writes what goes wrong: into our log, some lines of it."""

    def __init__(self) -> None:
        self._allowance = Allowance()

    def write(self, text: str) -> None:
        for line in text.splitlines():
            if line.strip() and self._allowance.takes():
                _log.warning(line.strip()[:300])

    def flush(self) -> None:
        return


def _turn_away(client: Any) -> None:
    sentence = b"Too many connections are open; try again in a moment.\n"
    answer = b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s"
    client.settimeout(0.5)
    with contextlib.suppress(OSError):
        client.sendall(answer % (len(sentence), sentence))
        client.shutdown(socket.SHUT_WR)
    client.close()
