"""Browsers' live connections: a snapshot, then numbered deltas at most four times a second.

One greenlet emits. It only puts events that are encoded already into the queues of the pages, each of
which has a greenlet of its own that writes: the emitter waits for nobody. What pages ask for is noted
at the page and answered in the emitter's next round, once for all who asked.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

import flask_socketio
import gevent
from flask import Flask, request
from flask_socketio import SocketIO, disconnect
from gevent.event import Event as Wake

from noc_bus.messages import ProbeResult
from noc_bus.time import Time
from noc_frame import log
from noc_frame.sqlite import DatabaseFault
from noc_web import pools
from noc_web.auth.accounts import Accounts
from noc_web.auth.guard import Guard
from noc_web.live.frames import Event, Ready
from noc_web.live.picture import Picture
from noc_web.live.requests import Requests
from noc_web.live.revision import Revisions
from noc_web.live.rows import Tick
from noc_web.live.websocket import CONNECTION, LARGEST_MESSAGE, WebSocket
from noc_web.logs import Allowance, Sparing
from noc_web.problem import ProblemError

_EVERY_S: Final = 0.25
# Many who join at the same moment are served together.
_ROUND_S: Final = 0.05
_IDLE_S: Final = 1.0
_TICK_S: Final = 5.0
_QUIET_S: Final = 1.5
_SESSIONS_S: Final = 1.0
_JOIN_WITHIN_S: Final = 5.0
_PAGES_OF_ONE: Final = 20
_EVENTS_IN_10_S: Final = 200
# A page with so many events in its queue is too slow for deltas; it gets a snapshot once it has taken them.
_BEHIND: Final = 40
_log = log.get("noc.web")


@dataclass(eq=False)
class Viewer:
    """One connected page."""

    sid: str
    engine: Any
    """Its engineio socket: the queue that its own greenlet writes from."""
    name: str
    session: str
    known: tuple[object, object] = (None, None)
    """What it says it has: boot and revision."""
    waits: bool = False
    """It has asked for what it misses."""
    refresh_asked_at: Time | None = None
    revision: int | None = None
    """What it was sent; None before its first snapshot."""
    watching: str | None = None
    events: deque[float] = field(default_factory=lambda: deque(maxlen=_EVENTS_IN_10_S))

    def is_flooding(self, now_s: float) -> bool:
        self.events.append(now_s)
        return len(self.events) == _EVENTS_IN_10_S and now_s - self.events[0] < 10

    @property
    def queued(self) -> int:
        return int(self.engine.queue.qsize())

    def send(self, event: Event) -> None:
        if not self.engine.closed:
            self.engine.send(Ready(event))


class LiveSocket:
    """The pages that are open, and the greenlet that tells them."""

    def __init__(
        self,
        app: Flask,
        *,
        picture: Picture,
        revisions: Revisions,
        requests: Requests,
        guard: Guard,
        accounts: Accounts,
        public_url: str,
    ) -> None:
        self._picture = picture
        self._revisions = revisions
        self._requests = requests
        self._guard = guard
        self._accounts = accounts
        self._public_host = urlsplit(public_url).netloc or None
        self._viewers: dict[str, Viewer] = {}
        self._wake = Wake()
        self._first_seen_s: dict[str, float] = {}
        self._joining: set[str] = set()
        self._allowance = Allowance()
        self.io = SocketIO(
            app,
            async_mode="gevent",
            transports=["websocket"],
            cors_allowed_origins=self._is_ours,
            max_http_buffer_size=LARGEST_MESSAGE,
            ping_interval=10,
            ping_timeout=10,
            manage_session=False,
            logger=_quiet("noc.web.socketio"),
            engineio_logger=_quiet("noc.web.engineio"),
        )
        self._engine = self.io.server.eio
        self._engine._async = self._engine._async | {"websocket": WebSocket}
        self.io.on_event("connect", self._on_connect)
        self.io.on_event("disconnect", self._on_disconnect)
        for event, handler in (("hello", self._on_hello), ("watch", self._on_watch), ("refresh", self._on_refresh)):
            self.io.on_event(event, self._checked(handler))

    @property
    def viewers(self) -> int:
        return len(self._viewers)

    def run(self) -> None:
        """The greenlet that emits."""
        advance_at_s = tick_at_s = sent_at_s = 0.0
        while True:
            self._wake.clear()
            now_s = time.monotonic()
            self._picture.follow_results(bool(self._viewers))
            if not self._viewers:
                self._wake.wait(_IDLE_S)
                continue
            if now_s >= advance_at_s:
                advance_at_s = now_s + _EVERY_S
                pools.LIVE.run(self._revisions.advance, Time.now())
            if self._serve():
                sent_at_s = now_s
            self._tell()
            if now_s >= tick_at_s or now_s - sent_at_s >= _QUIET_S:
                tick_at_s, sent_at_s = now_s + _TICK_S, now_s
                self._tick()
            gevent.sleep(_ROUND_S)
            self._wake.wait(max(0.0, advance_at_s - time.monotonic()))

    def look_after(self) -> None:
        """Another greenlet: the emitter must not wait for the database of the sessions."""
        while True:
            self._end_those_who_never_join(time.monotonic())
            try:
                self._look_at_sessions()
            except DatabaseFault as fault:
                # Sessions are looked at again in a moment; pages go on meanwhile.
                if self._allowance.takes():
                    _log.warning(f"the sessions of live pages cannot be looked up now: {fault}")
            gevent.sleep(_SESSIONS_S)

    # -- what is sent

    def _serve(self) -> bool:
        """Deltas to those who are up to date, and what they miss to those who asked."""
        if not self._picture.is_ready:
            return False
        deltas = self._send_deltas()
        waiting = [viewer for viewer in self._viewers.values() if viewer.waits and not viewer.queued]
        if not waiting:
            return deltas
        behind = []
        for viewer in waiting:
            missed = None if viewer.refresh_asked_at else self._revisions.since(*viewer.known)
            if missed is None:
                behind.append(viewer)
                continue
            viewer.waits = False
            viewer.revision = missed[-1][0] if missed else self._revisions.revision
            for _, event in missed:
                viewer.send(event)
            if not missed:
                viewer.send(self._new_tick())
        if behind:
            asked = max((viewer.refresh_asked_at or Time(0) for viewer in behind), default=Time(0))
            revision, snapshot = pools.LIVE.run(self._encoded_snapshot, asked)
            for viewer in behind:
                # One that asked again meanwhile is answered in the next round.
                if viewer.refresh_asked_at is None or viewer.refresh_asked_at <= asked:
                    viewer.waits, viewer.refresh_asked_at = False, None
                viewer.revision = revision
                viewer.send(snapshot)
        return True

    def _send_deltas(self) -> bool:
        newest = self._revisions.revision
        late = [viewer.revision for viewer in self._viewers.values() if viewer.revision is not None]
        if not late or min(late) >= newest:
            return False
        deltas = self._revisions.since(self._revisions.boot, min(late), whatever_size=True)
        for viewer in list(self._viewers.values()):
            if viewer.revision is None or viewer.revision >= newest:
                continue
            if deltas is None or viewer.queued > _BEHIND:
                viewer.revision, viewer.known, viewer.waits = None, (None, None), True
                continue
            for number, event in deltas:
                if number > viewer.revision:
                    viewer.revision = number
                    viewer.send(event)
        return True

    def _encoded_snapshot(self, not_before: Time) -> tuple[int, Event]:
        revision, event = self._revisions.shared_snapshot(not_before)
        # Browsers ask for it compressed; that takes longer than everything else.
        event.frame(compressed=True)
        return revision, event

    def _tell(self) -> None:
        """Results to the pages of their targets, replies to whoever asked."""
        viewers = list(self._viewers.values())
        self._picture.watch({viewer.watching for viewer in viewers if viewer.watching})
        said: list[tuple[Event, Callable[[Viewer], bool]]] = [
            (Event("result", result), _watches(result)) for result in self._picture.take_results()
        ]
        said += [(Event("reply", reply), _is_called(name)) for name, reply in self._requests.arrived()]
        for event, wanted in said:
            for viewer in viewers:
                if wanted(viewer):
                    viewer.send(event)

    def _tick(self) -> None:
        tick = self._new_tick()
        for viewer in list(self._viewers.values()):
            if viewer.revision is not None:
                viewer.send(tick)

    def _new_tick(self) -> Event:
        return Event("tick", Tick(at=Time.now(), revision=self._revisions.revision))

    # -- who is there

    def _end_those_who_never_join(self, now_s: float) -> None:
        """A WebSocket that does not say who it is is held open for nobody."""
        joined = {viewer.engine.sid for viewer in self._viewers.values()} | self._joining
        sockets = dict(self._engine.sockets)
        self._first_seen_s = {sid: self._first_seen_s.get(sid, now_s) for sid in sockets if sid not in joined}
        for sid, first_s in self._first_seen_s.items():
            if now_s - first_s > _JOIN_WITHIN_S:
                sockets[sid].close(wait=False)

    def _look_at_sessions(self) -> None:
        """Cut those that have ended; a page that is open keeps its own."""
        sessions = {viewer.session for viewer in self._viewers.values()}
        if not sessions:
            return
        alive = pools.SESSIONS.run(self._accounts.in_use, sessions)
        for sid, viewer in list(self._viewers.items()):
            if viewer.session in sessions and viewer.session not in alive:
                self._cut(sid, viewer)

    def _cut(self, sid: str, viewer: Viewer) -> None:
        """Tell the page, and end the connection whether or not it agrees."""
        self.io.server.disconnect(sid)
        viewer.engine.close(wait=False)

    def close(self) -> None:
        """End every page: the service stops."""
        for viewer in list(self._viewers.values()):
            viewer.engine.close(wait=False)

    # -- what browsers ask

    def _on_connect(self, auth: object = None) -> None:
        # A foreign one was refused before; browsers always send one, and the cookie is for them.
        if "Origin" not in request.headers:
            raise flask_socketio.ConnectionRefusedError("a page says where it comes from, in the header Origin")
        engine = self._engine.sockets.get(self.io.server.manager.eio_sid_from_sid(_sid(), "/"))
        if engine is None:
            raise flask_socketio.ConnectionRefusedError("the page is gone")
        self._joining.add(engine.sid)
        try:
            actor = pools.JOINS.run(self._guard.actor, request)
        except ProblemError as problem:
            raise flask_socketio.ConnectionRefusedError(problem.detail) from None
        finally:
            self._joining.discard(engine.sid)
        # Machines have MQTT; of a token it is not known here when it is deleted.
        if actor is None or actor.session is None or actor.must_change_password:
            raise flask_socketio.ConnectionRefusedError("log in", {"code": "log-in"})
        if sum(viewer.name == actor.name for viewer in self._viewers.values()) >= _PAGES_OF_ONE:
            raise flask_socketio.ConnectionRefusedError(f"{actor.name} has {_PAGES_OF_ONE} pages open already")
        if engine.closed:
            raise flask_socketio.ConnectionRefusedError("the page is gone")
        self._viewers[_sid()] = Viewer(_sid(), engine, actor.name, actor.session)
        if connection := request.environ.get(CONNECTION):
            connection.admit()

    def _on_disconnect(self, reason: object = None) -> None:
        self._viewers.pop(_sid(), None)

    def _on_hello(self, viewer: Viewer, said: dict[str, Any]) -> None:
        # However often it asks while it waits, it is answered once.
        if not viewer.waits:
            viewer.known, viewer.waits, viewer.revision = (said.get("boot"), said.get("revision")), True, None
            self._wake.set()

    def _on_watch(self, viewer: Viewer, said: dict[str, Any]) -> None:
        target = said.get("target")
        viewer.watching = target if isinstance(target, str) and self._picture.has_target(target) else None

    def _on_refresh(self, viewer: Viewer, said: dict[str, Any]) -> None:
        """The refresh button: everything is sent whole, as it is now."""
        viewer.waits, viewer.refresh_asked_at = True, Time.now()
        self._wake.set()

    def _checked(self, handler: Callable[[Viewer, dict[str, Any]], None]) -> Any:
        """Only for those who are connected, not too often, and only with an object."""

        def checked(said: object = None) -> None:
            viewer = self._viewers.get(_sid())
            if viewer is None:
                disconnect()
                return
            if viewer.is_flooding(time.monotonic()):
                _log.warning("a live connection was cut: too many events", extra=log.values(viewer=viewer.name))
                self._cut(viewer.sid, viewer)
                return
            handler(viewer, said if isinstance(said, dict) else {})

        return checked

    def _is_ours(self, origin: str, environ: dict[str, Any] | None = None) -> bool:
        """The page's own host, or the public one where a proxy stands before us."""
        ours = {environ.get("HTTP_HOST") if environ else None, self._public_host}
        return urlsplit(origin).netloc in ours


def _watches(result: ProbeResult) -> Callable[[Viewer], bool]:
    return lambda viewer: viewer.watching == result.target


def _is_called(name: str) -> Callable[[Viewer], bool]:
    return lambda viewer: viewer.name == name


def _quiet(name: str) -> logging.Logger:
    """Without loggers of ours the libraries add handlers of their own; what strangers send must not fill the log."""
    logger = logging.getLogger(name)
    logger.setLevel(logging.WARNING)
    logger.filters = [Sparing()]
    return logger


def _sid() -> str:
    """Which connection the present event came by."""
    sid: str = request.sid  # type: ignore[attr-defined]  # Flask-SocketIO puts it there
    return sid
