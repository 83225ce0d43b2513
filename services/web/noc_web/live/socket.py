"""Browsers' live connections: a snapshot, then numbered deltas at most four times a second."""

from __future__ import annotations

import contextlib
import logging
import socket
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

import flask_socketio
import gevent
import gevent.lock
from engineio.async_drivers.gevent import WebSocketWSGI  # type: ignore[import-untyped]  # no types
from flask import Flask, request
from flask_socketio import SocketIO, disconnect, join_room, leave_room

from noc_bus.time import Time
from noc_frame import log
from noc_web.json import plain
from noc_web.off_loop import off_loop
from noc_web.parts import Parts

_EVERY_S: Final = 0.25
_TICK_S: Final = 5.0
_SESSIONS_S: Final = 1.0
_STALE_S: Final = 30.0
_LARGEST_EVENT: Final = 64_000
_MOST_OF_ONE: Final = 20
_EVENTS_IN_10_S: Final = 200
_log = log.get("noc.web")


@dataclass
class Viewer:
    """One connected page."""

    name: str
    session: str | None
    watching: str | None = None
    events: deque[float] = field(default_factory=lambda: deque(maxlen=_EVENTS_IN_10_S))

    def is_flooding(self, now_s: float) -> bool:
        self.events.append(now_s)
        return len(self.events) == _EVENTS_IN_10_S and now_s - self.events[0] < 10


class _Whole:
    """A connection that sends a frame whole or is over; two frames never mix.

    gevent's `send` sends what there is room for, and simple_websocket takes that for everything.
    """

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._one_frame = gevent.lock.RLock()
        self.recv = connection.recv
        self.settimeout = connection.settimeout
        self.close = connection.close

    def send(self, frame: bytes) -> int:
        with self._one_frame:
            try:
                self._connection.sendall(frame)
            except OSError:
                self.hang_up()
                raise
        return len(frame)

    def hang_up(self) -> None:
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)


class _WebSocket(WebSocketWSGI):  # type: ignore[misc]  # engineio has no types
    """Bounded: in what it takes of one message, in how long a page may be silent, and at its end."""

    def __init__(self, handler: Callable[[Any], Any], server: Any) -> None:
        super().__init__(lambda _: self._serve(handler), server)
        # engineio would keep all of a message before it looks at its length.
        self.server_args["max_message_size"] = _LARGEST_EVENT

    def _serve(self, handler: Callable[[Any], Any]) -> Any:
        # engineio looks for it under this name, and lets it wait as long as a page may take for its pong.
        self.socket = self.ws.sock = _Whole(self.ws.sock)
        return handler(self)

    def close(self) -> None:
        """Without waiting for a page to agree: one that is gone never would."""
        with contextlib.suppress(OSError):
            super().close()
        self.socket.hang_up()


class LiveSocket:
    """Everything is emitted by one greenlet; the bus's thread only leaves facts in the view."""

    def __init__(self, app: Flask, parts: Parts) -> None:
        self._parts = parts
        for name in ("noc.web.socketio", "noc.web.engineio"):
            logging.getLogger(name).setLevel(logging.WARNING)
        self._viewers: dict[str, Viewer] = {}
        # Whoever holds it makes a revision and sends it: pages get them in their order.
        self._in_order = gevent.lock.RLock()
        self.io = SocketIO(
            app,
            async_mode="gevent",
            transports=["websocket"],
            cors_allowed_origins=self._is_ours,
            max_http_buffer_size=_LARGEST_EVENT,
            ping_interval=10,
            ping_timeout=10,
            manage_session=False,
            # Without loggers of ours both add handlers of their own.
            logger=logging.getLogger("noc.web.socketio"),
            engineio_logger=logging.getLogger("noc.web.engineio"),
        )
        engine = self.io.server.eio
        engine._async = engine._async | {"websocket": _WebSocket}
        self.io.on_event("connect", self._on_connect)
        self.io.on_event("disconnect", self._on_disconnect)
        for event, handler in (("hello", self._on_hello), ("watch", self._on_watch), ("refresh", self._on_refresh)):
            self.io.on_event(event, self._checked(handler))

    @property
    def viewers(self) -> int:
        return len(self._viewers)

    def run(self) -> None:
        """The greenlet: looks four times a second at what has changed."""
        sessions_at_s = tick_at_s = stale_at_s = 0.0
        while True:
            began_s = time.monotonic()
            if began_s >= stale_at_s:
                # Figures that have become old leave the rows also where nothing new arrives.
                stale_at_s = began_s + _STALE_S
                self._parts.revisions.refresh()
            self._emit_changes()
            if began_s >= sessions_at_s:
                sessions_at_s = began_s + _SESSIONS_S
                self._parts.view.expire(began_s)
                self._cut_ended_sessions()
            if began_s >= tick_at_s:
                tick_at_s = began_s + _TICK_S
                self.io.emit("tick", {"at": str(Time.now()), "revision": self._parts.revisions.revision})
            gevent.sleep(max(0.01, _EVERY_S - (time.monotonic() - began_s)))

    # -- what is emitted

    def _emit_changes(self) -> None:
        parts = self._parts
        self._emit_delta()
        with parts.view.lock:
            results, parts.view.new_results = parts.view.new_results, []
        watched = {viewer.watching for viewer in self._viewers.values()}
        for result in results:
            if result.target in watched:
                self.io.emit("result", plain(result), to=_room(result.target))
        for name, reply in parts.requests.arrived():
            for sid, viewer in self._viewers.items():
                if viewer.name == name:
                    self.io.emit("reply", plain(reply), to=sid)

    def _emit_delta(self) -> None:
        with self._in_order:
            # Building the rows of thousands of targets takes a while: elsewhere.
            delta = off_loop(_next_delta, self._parts)
            if delta:
                self.io.emit("delta", delta)

    def _cut_ended_sessions(self) -> None:
        sessions = {viewer.session for viewer in self._viewers.values() if viewer.session}
        if not sessions:
            return
        alive = off_loop(self._parts.accounts.alive, sessions)
        for sid, viewer in list(self._viewers.items()):
            if viewer.session and viewer.session not in alive:
                self.io.server.disconnect(sid)

    # -- what browsers ask

    def _on_connect(self, auth: object = None) -> None:
        # A foreign one was refused before; browsers always send one, and the cookie is for them.
        if "Origin" not in request.headers:
            raise flask_socketio.ConnectionRefusedError("a page says where it comes from, in the header Origin")
        actor = off_loop(self._parts.guard.actor, request)
        # Machines have MQTT; of a token it is not known here when it is deleted.
        if actor is None or actor.session is None or actor.must_change_password:
            raise flask_socketio.ConnectionRefusedError("log in", {"code": "log-in"})
        if sum(viewer.name == actor.name for viewer in self._viewers.values()) >= _MOST_OF_ONE:
            raise flask_socketio.ConnectionRefusedError(f"{actor.name} has {_MOST_OF_ONE} pages open already")
        self._viewers[_sid()] = Viewer(actor.name, actor.session)

    def _on_disconnect(self, reason: object = None) -> None:
        self._viewers.pop(_sid(), None)

    def _on_hello(self, said: dict[str, Any]) -> None:
        with self._in_order:
            missed = self._parts.revisions.since(said.get("boot"), said.get("revision"))
            if missed is None:
                self._send_snapshot()
            for delta in missed or ():
                self.io.emit("delta", plain(delta), to=_sid())

    def _on_watch(self, said: dict[str, Any]) -> None:
        viewer = self._viewers[_sid()]
        if viewer.watching:
            leave_room(_room(viewer.watching))
        target = said.get("target")
        viewer.watching = target if isinstance(target, str) and target in self._parts.view.targets else None
        if viewer.watching:
            join_room(_room(viewer.watching))

    def _on_refresh(self, said: dict[str, Any]) -> None:
        """The refresh button: everything is looked at anew, and then sent whole."""
        self._parts.revisions.refresh()
        self._emit_delta()
        self._send_snapshot()

    def _send_snapshot(self) -> None:
        with self._in_order:
            self.io.emit("snapshot", off_loop(_snapshot, self._parts), to=_sid())

    def _checked(self, handler: Any) -> Any:
        """Only for those who are connected, not too often, and only with an object."""

        def checked(said: object = None) -> None:
            viewer = self._viewers.get(_sid())
            if viewer is None or viewer.is_flooding(time.monotonic()):
                _log.warning("a live connection was cut: too many events", viewer=viewer.name if viewer else "nobody")
                disconnect()
                return
            handler(said if isinstance(said, dict) else {})

        return checked

    def _is_ours(self, origin: str, environ: dict[str, Any] | None = None) -> bool:
        """The page's own host, or the public one where a proxy stands before us."""
        public = urlsplit(self._parts.config.public_url)
        ours = {environ.get("HTTP_HOST") if environ else None, public.netloc or None}
        return urlsplit(origin).netloc in ours


def _next_delta(parts: Parts) -> Any:
    trouble = [f"{name}: {one.trouble}" for name, one in sorted(parts.view.services.items()) if one.trouble]
    trouble += [f"{name} is not running" for name, one in sorted(parts.view.services.items()) if not one.online]
    delta = parts.revisions.advance(Time.now(), trouble)
    return plain(delta) if delta else None


def _snapshot(parts: Parts) -> Any:
    return plain(parts.revisions.snapshot(Time.now()))


def _sid() -> str:
    """Which connection the present event came by."""
    sid: str = request.sid  # type: ignore[attr-defined]  # Flask-SocketIO puts it there
    return sid


def _room(target: str) -> str:
    return f"target {target}"
