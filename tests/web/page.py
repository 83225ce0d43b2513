"""A page of the browser's application, as far as the live connection goes: Socket.IO over a real WebSocket."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import socket
import threading
import time
from typing import Any, Self
from urllib.parse import urlencode

import websocket

from noc_bus.messages import VerdictState
from tests.parts.browser_store import applied
from tests.parts.waiting import wait_until

DEADLINE_S = 10.0


def shown(page: dict[str, Any]) -> dict[str, Any]:
    """A page's content, whatever the order of its rows."""
    content = {
        name: page[name] for name in ("revision", "kpis", "all_well", "nobody_told", "trouble", "services", "changes")
    }
    for kind in ("targets", "sites", "incidents"):
        content[kind] = {row["id"]: row for row in page[kind]}
    return content


def check_tiles(page: dict[str, Any]) -> None:
    """The tiles are counted from the rows."""
    tiles = dict(page["kpis"])
    total = tiles.pop("total")
    assert total == len(page["targets"]) == sum(tiles.values())
    assert tiles == {
        kind.lower(): len([row for row in page["targets"] if row["state"] == kind]) for kind in VerdictState
    }


class Person:
    """Somebody with a browser: logs in over HTTP, keeps the cookie, and opens pages."""

    def __init__(self, port: int, name: str, password: str) -> None:
        self.port = port
        self.cookie = ""
        page = self.ask("GET", "/login")[1]
        form = {"csrf_token": _found(r'name="csrf_token" value="([^"]+)', page), "username": name, "password": password}
        status, _ = self.ask("POST", "/login", urlencode(form), "application/x-www-form-urlencoded")
        assert status == 302, f"{name} could not log in: {status}"
        # The page for choosing a password is open to those, too, who have to.
        self._csrf = _found(r'name="csrf_token" value="([^"]+)', self.ask("GET", "/password")[1])

    @classmethod
    def nobody(cls, port: int) -> Person:
        """Somebody who is not logged in."""
        person = cls.__new__(cls)
        person.port, person.cookie = port, ""
        return person

    def ask(
        self, method: str, path: str, body: str = "", kind: str = "application/json", deadline_s: float = DEADLINE_S
    ) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=deadline_s)
        try:
            headers = {"Cookie": self.cookie, "X-CSRFToken": getattr(self, "_csrf", ""), "Content-Type": kind}
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            if cookie := answer.headers.get("Set-Cookie"):
                self.cookie = cookie.partition(";")[0]
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def api(self, method: str, path: str, body: object = None) -> Any:
        status, text = self.ask(method, f"/api/v1/{path}", "" if body is None else json.dumps(body))
        assert 200 <= status < 300, f"{method} {path}: {status} {text[:300]}"
        return json.loads(text) if text else None

    def connect(self, receive_buffer: int = 0) -> websocket.WebSocket:
        """A connection that is left to the test."""
        options = [(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)] if receive_buffer else []
        return websocket.create_connection(
            f"ws://127.0.0.1:{self.port}/socket.io/?EIO=4&transport=websocket",
            cookie=self.cookie,
            origin=f"http://127.0.0.1:{self.port}",
            sockopt=options,
        )

    def open_page(self, *, hello: object = None) -> Page:
        page = Page(self.port, self.cookie)
        page.say("hello", {} if hello is None else hello)
        return page


class Page:
    """Collects every event with the moment of its arrival; a context manager."""

    def __init__(self, port: int, cookie: str = "", origin: str | None = "", **headers: str) -> None:
        """`origin` empty: the page's own; None: the header is left out."""
        self.events: list[tuple[float, str, Any]] = []
        self.refused: str | None = None
        self.is_cut = False
        self._socket = websocket.create_connection(
            f"ws://127.0.0.1:{port}/socket.io/?EIO=4&transport=websocket",
            cookie=cookie or None,
            origin=origin or f"http://127.0.0.1:{port}",
            suppress_origin=origin is None,
            header=headers,
        )
        self._is_connected = threading.Event()
        self._socket.send("40")
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()
        assert self._is_connected.wait(DEADLINE_S), "the connection was neither taken nor refused"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        if self._socket.sock:
            with contextlib.suppress(OSError):
                self._socket.sock.shutdown(socket.SHUT_RDWR)
        self._thread.join(DEADLINE_S)
        self._socket.shutdown()  # type: ignore[no-untyped-call]

    def say(self, event: str, body: object) -> None:
        self._socket.send(f"42{json.dumps([event, body])}")

    def all(self, event: str) -> list[Any]:
        return [body for _, name, body in list(self.events) if name == event]

    def when(self, event: str) -> list[float]:
        """The arrival of each, in seconds of the monotonic clock."""
        return [at_s for at_s, name, _ in list(self.events) if name == event]

    def wait_for(self, event: str, count: int = 1, deadline_s: float = DEADLINE_S) -> Any:
        """The latest of at least `count` events."""
        wait_until(lambda: len(self.all(event)) >= count, deadline_s, f"{count} times {event}", seen=self._names)
        return self.all(event)[-1]

    def wait_until_cut(self, deadline_s: float) -> None:
        wait_until(lambda: self.is_cut, deadline_s, "the end of the live connection", seen=self._names)

    def content(self) -> dict[str, Any]:
        """What it shows: the newest snapshot and the deltas after it."""
        page: dict[str, Any] = {}
        for _, name, body in list(self.events):
            if name == "snapshot":
                page = body
            elif name == "delta" and page:
                page = applied(page, body)
        return page

    def _names(self) -> list[str]:
        return [name for _, name, _ in list(self.events)]

    def _listen(self) -> None:
        try:
            while True:
                self._take(str(self._socket.recv()))
        except (websocket.WebSocketException, OSError):
            self.is_cut = True
            self._is_connected.set()

    def _take(self, frame: str) -> None:
        if frame == "2":
            self._socket.send("3")
        elif frame.startswith("42"):
            name, body = json.loads(frame[2:])
            self.events.append((time.monotonic(), name, body))
        elif frame.startswith("40"):
            self._is_connected.set()
        elif frame.startswith("44"):
            self.refused = json.loads(frame[2:])["message"]
            self._is_connected.set()
        elif frame.startswith("41"):
            self.is_cut = True


def _found(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    assert found, f"{pattern} is not in {text[:300]}"
    return found.group(1)
