"""A real webhook receiver that keeps what it is given, or misbehaves as told."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final, Literal, Self

from tests.parts.ports import free_port

Mode = Literal["ok", "fail", "gone", "redirect", "hang", "drop"]
"""200; 500; 410; 307 to itself; no answer; the line is cut once the message was read."""
_STATUS: Final = {"ok": 200, "fail": 500, "gone": 410, "redirect": 307}


@dataclass(frozen=True)
class Posted:
    path: str
    headers: Mapping[str, str]
    body: bytes


class WebhookSink:
    """A context manager; may be stopped and started again on the same port."""

    def __init__(self) -> None:
        self.port = free_port()
        self.mode: Mode = "ok"
        self.posted: list[Posted] = []
        self.released = threading.Event()
        """Set: who hangs goes away."""
        self._server: ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook?token=t"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.released.set()
        self.stop()

    def start(self) -> None:
        sink = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.do_POST()

            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"] or 0)
                sink.posted.append(Posted(self.path, dict(self.headers), self.rfile.read(length)))
                if sink.mode == "hang":
                    sink.released.wait(60)
                if sink.mode in ("hang", "drop"):
                    self.close_connection = True
                    return
                words = b"thank you" if sink.mode == "ok" else b"<p>no, thank you</p>"
                self.send_response(_STATUS[sink.mode])
                self.send_header("Location", sink.url)
                self.send_header("Content-Length", str(len(words)))
                self.end_headers()
                self.wfile.write(words)

            def log_message(self, format: str, *words: object) -> None:  # noqa: A002  # named as in the base class
                """Nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=[0.05], daemon=True).start()

    def stop(self) -> None:
        """Nobody listens any more."""
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None
