"""Outages in data that came late, handed over to the alerter, which keeps them as incidents and tells people once.

What comes late is noted in a file of its own before it is stored, and what was found stays there until the alerter has
it: a kill in between repeats a step, and changes nothing twice. Maintenance is noted there too, for the broker keeps
windows only until they are over.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from noc_bus.bus import Bus
from noc_bus.channels import LATE_OUTAGE_ANSWERS, LATE_OUTAGES, MAINTENANCES, SERVICES
from noc_bus.codec import decode, encode
from noc_bus.messages import Incident, LateOutages, LateOutagesAnswer, Maintenance, ServicePresence, SiteState, Target
from noc_bus.mirror import Mirror
from noc_bus.time import DAY_MS, Time
from noc_frame import log
from noc_frame.sqlite import Database, DatabaseFault, Ladder, sql
from noc_history.store import Store, StoreError
from noc_rules.late import SOMEBODY, Found, LateState, as_it_was, found, in_parts
from noc_rules.maintenance import Versions
from noc_rules.rehearsal import USUAL_WAIT_S, Said, Settings, play, sayings_of
from noc_rules.timeline import InForce

QUIET_S: Final = 60.0
"""Judged is what came late once nothing more has come for so long: sites that come back together are one finding,"""
AT_THE_LATEST_S: Final = 600.0
"""or once it has waited for so long."""
_LOOK_EVERY_S: Final = 1.0
_SAY_AGAIN_S: Final = 10.0
_RETRY_S: Final = 60.0
# Who always writes does not keep the past from being judged for ever.
_GIVES_WAY_S: Final = 0.05
# What was DOWN before is known as DOWN.
_LEAD_MS: Final = 600_000
_MAX_INCIDENTS: Final = 100
_MAX_BYTES: Final = 200_000
_MAX_SITES: Final = 1000
# No journal keeps so much.
_KEPT_MS: Final = 30 * DAY_MS

LADDER: Final = Ladder(
    steps=[
        sql("""
CREATE TABLE late (
    target TEXT NOT NULL,
    site TEXT NOT NULL,
    since INTEGER NOT NULL,
    PRIMARY KEY (target, site, since)
) WITHOUT ROWID;
CREATE TABLE part (
    id INTEGER PRIMARY KEY,
    finding TEXT NOT NULL,
    part INTEGER NOT NULL,
    message BLOB NOT NULL
);
CREATE TABLE maintenance (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    since INTEGER NOT NULL,
    message BLOB
);
""")
    ]
)


class _Stopped(Exception):  # no error
    """What was being judged is judged by the next start."""


class Late:
    """`note` and `stored` belong to the thread that writes, `tick` and `run` to one of its own."""

    def __init__(
        self,
        bus: Bus,
        folder: Path,
        store: Store,
        target: Callable[[str], Target | None],
        *,
        quiet_s: float = QUIET_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`target` looks up how one is defined now. `clock` gives seconds that only go forward."""
        self._bus = bus
        self._store = store
        self._target = target
        self._quiet_s = quiet_s
        self._clock = clock
        self._database = Database(folder / "late.sqlite", LADDER)
        self._maintenances: Mirror[str, Maintenance] = Mirror(bus, MAINTENANCES, clock=clock)
        self._is_compared = False
        self._answers: deque[LateOutagesAnswer] = deque()
        self._lock = threading.Lock()
        # What an earlier start noted is judged after the same time.
        self._first_s = self._last_s = clock()
        self._is_at_rest = threading.Event()
        self._is_at_rest.set()
        self._said_s: float | None = None
        self._stop = threading.Event()
        self._log = log.get("noc.recorder")
        self._group_wait_s = USUAL_WAIT_S
        bus.subscribe(LATE_OUTAGE_ANSWERS, self._on_answer)
        bus.subscribe(SERVICES, self._on_alerter, service="alerter")

    # -- of the thread that writes

    def note(self, states: Iterable[SiteState]) -> None:
        """A batch is about to be stored, and these in it came late; nothing more is judged before `stored`."""
        rows = [(one.target, one.site, one.since) for one in states]
        self._is_at_rest.clear()
        if not rows:
            return
        try:
            with self._database.transaction("note what came late in") as connection:
                is_first = connection.execute("SELECT 1 FROM late LIMIT 1").fetchone() is None
                connection.executemany("INSERT OR IGNORE INTO late VALUES (?, ?, ?)", rows)
        except DatabaseFault as fault:
            # It is stored and counts; that nobody is told of it is the smaller harm.
            self._log.error(f"outages in late data may not become incidents: {fault}")
            return
        with self._lock:
            self._last_s = self._clock()
            self._first_s = self._last_s if is_first else self._first_s

    def stored(self) -> None:
        self._is_at_rest.set()

    # -- of its own

    def run(self, stop: threading.Event) -> None:
        wait_s, self._stop = _LOOK_EVERY_S, stop
        while not stop.wait(wait_s):
            wait_s = _LOOK_EVERY_S
            try:
                self.tick(Time.now())
            except _Stopped:
                return
            except Exception as error:  # noqa: BLE001  # whatever is wrong with the past, the present is to be stored
                wait_s = _RETRY_S
                trace = None if isinstance(error, (DatabaseFault, StoreError)) else error
                self._log.error(
                    f"outages in late data are not looked for now: {error}; the next try is in a minute", exc_info=trace
                )

    def tick(self, now: Time) -> None:
        """Judge what has come late, and say what was found until it is answered. Raises DatabaseFault, StoreError."""
        self._maintenances.tick()
        self._follow_maintenances(now)
        self._take_answers()
        waiting = self._database.read("read", "SELECT message FROM part ORDER BY id LIMIT 1")
        if waiting:
            self._say(waiting[0][0])
        elif self._is_due():
            self._judge(now)

    def close(self) -> None:
        self._database.close()

    def _is_due(self) -> bool:
        if not self._is_at_rest.is_set():
            return False
        with self._lock:
            now_s, first_s, last_s = self._clock(), self._first_s, self._last_s
        is_quiet = now_s - last_s >= self._quiet_s or now_s - first_s >= AT_THE_LATEST_S
        return is_quiet and bool(self._database.read("read", "SELECT 1 FROM late LIMIT 1"))

    def _say(self, message: bytes) -> None:
        now_s = self._clock()
        if (self._said_s is None or now_s - self._said_s >= _SAY_AGAIN_S) and self._bus.publish(
            LATE_OUTAGES, decode(message, LateOutages)
        ):
            self._said_s = now_s

    def _take_answers(self) -> None:
        while self._answers:
            one = self._answers[0]
            with self._database.transaction("note what is answered in") as connection:
                connection.execute("DELETE FROM part WHERE finding = ? AND part = ?", (one.finding, one.part))
            self._answers.popleft()
            self._said_s = None

    def _judge(self, now: Time) -> None:
        late = [LateState(target, site, Time(since)) for target, site, since in self._database.read("read", _LATE)]
        result = self._found(late, now)
        parts = _parts(result, now, sorted({one.site for one in late}))
        with self._database.transaction("note what was found in") as connection:
            connection.executemany("DELETE FROM late WHERE target = ? AND site = ? AND since = ?", late)
            connection.executemany(
                "INSERT INTO part (finding, part, message) VALUES (?, ?, ?)",
                [(one.finding, one.part, encode(one)) for one in parts],
            )
            connection.execute(_FORGET_OLD, (now - _KEPT_MS,))
        self._log.info(
            f"looked through {len(late):,} states that came late: outages in them make {len(result.incidents):,} incidents"
        )

    def _found(self, late: Sequence[LateState], now: Time) -> Found:
        """What the alerter would have made of it in time. Raises StoreError."""
        first = min(one.since for one in late)
        start = Time(first - _LEAD_MS)
        records, definitions = self._store.states(None, start, now), self._store.definitions(None)
        moments: dict[str, Time] = {}
        for one in late:
            moments[one.target] = min(one.since, moments.get(one.target, one.since))
        targets: dict[str, Target] = {}
        sayings: dict[str, dict[str, list[Said]]] = {}
        for name, by_site in records.items():
            self._go_on()
            known = definitions.get(name, ())
            target = as_it_was(self._target(name), known, moments.get(name, first))
            if target is not None:
                targets[name] = target
                sayings[name] = sayings_of(by_site, InForce(target, known), start, now)
        settings = Settings(targets, SOMEBODY, self._group_wait_s)
        played = play(settings, sayings, start, now, maintenances=self._versions(), told=self._go_on)
        return found(played, late, now)

    def _go_on(self, done: int = 0, of: int = 0) -> None:
        """Called now and then while the past is judged: what is written at present goes first."""
        if self._stop.is_set():
            raise _Stopped
        self._is_at_rest.wait(_GIVES_WAY_S)

    # -- maintenance, as it was

    def _follow_maintenances(self, now: Time) -> None:
        """What differs from what was noted last. What went while no recorder ran is missing in silence."""
        if not self._maintenances.take_changes() and self._is_compared:
            return
        self._is_compared = False
        if not self._maintenances.is_complete:
            return
        last = {name: versions[-1][1] for name, versions in self._versions().items()}
        present = {name: replace(one, rev=None) for name, one in self._maintenances.items().items()}
        rows = [
            (name, int(now), None if one is None else encode(one))
            for name, one in {**dict.fromkeys(last), **present}.items()
            if one != last.get(name)
        ]
        with self._database.transaction("note maintenance in") as connection:
            connection.executemany("INSERT INTO maintenance (name, since, message) VALUES (?, ?, ?)", rows)
        self._is_compared = True

    def _versions(self) -> Versions:
        found: dict[str, list[tuple[int, Maintenance | None]]] = {}
        for name, since, message in self._database.read(
            "read", "SELECT name, since, message FROM maintenance ORDER BY id"
        ):
            found.setdefault(name, []).append((since, None if message is None else decode(message, Maintenance)))
        return found

    def _on_answer(self, answer: LateOutagesAnswer | None, variables: Mapping[str, str]) -> None:
        if answer is not None:
            self._answers.append(answer)

    def _on_alerter(self, presence: ServicePresence | None, variables: Mapping[str, str]) -> None:
        """For how long it gathers what goes down together; one that is away says nothing of it, and will as before."""
        if presence is not None:
            self._group_wait_s = presence.figures.get("group_wait_s", self._group_wait_s)


_LATE: Final = "SELECT target, site, since FROM late"
# Of those that are still there, what they are now; of those that are gone, nothing.
_FORGET_OLD: Final = """
DELETE FROM maintenance WHERE since < ? AND (message IS NULL OR id NOT IN (SELECT MAX(id) FROM maintenance GROUP BY name))
"""


def _parts(result: Found, now: Time, sites: Sequence[str]) -> list[LateOutages]:
    """As many messages as it takes, none of them large."""
    shared: list[list[Incident]] = []
    room = 0
    for one in (part for incident in result.incidents for part in in_parts(incident)):
        size = len(encode(one))
        # One that goes on is in each message once.
        is_again = bool(shared) and shared[-1][-1].id == one.id
        if not shared or len(shared[-1]) == _MAX_INCIDENTS or size > room or is_again:
            shared.append([])
            room = _MAX_BYTES
        shared[-1].append(one)
        room -= size
    return [
        LateOutages(
            finding=f"late-{int(now)}",
            part=number,
            parts=len(shared),
            at=now,
            sites=list(sites[:_MAX_SITES]),
            incidents=incidents,
            quiet=[one.id for one in incidents if one.id in result.quiet],
        )
        for number, incidents in enumerate(shared, start=1)
    ]
