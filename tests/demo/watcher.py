"""Watches the demonstration from outside, and compares what it showed with the simulation's own record."""

from __future__ import annotations

import threading
from typing import Any, Self

from noc_bus.time import Time
from noc_demo.network import BY_ID as HOSTS
from noc_demo.script import BY_ID
from tests.demo.visitor import Visitor

_EVERY_S = 0.5
# From the end of an event until the last site says so: a cycle, two answers and the rest.
_ENDED_LATE_MS = 30_000


class Watcher:
    """A context manager, in a thread of its own."""

    def __init__(self, visitor: Visitor) -> None:
        self._visitor = visitor
        self._seen: list[tuple[Time, dict[str, str], set[str]]] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(_EVERY_S):
            status = self._visitor.get("/api/v1/status")
            blind = {site["id"] for site in status["sites"] if not site["online"] or site["isolated"]}
            self._seen.append((Time.now(), {row["id"]: row["state"] for row in status["targets"]}, blind))

    @property
    def lasted_s(self) -> float:
        return (self._seen[-1][0] - self._seen[0][0]) / 1000 if self._seen else 0.0

    def has_seen(self, target: str, state: str) -> bool:
        return any(states.get(target) == state for _, states, _ in self._seen)

    def judge(
        self, record: list[dict[str, Any]], incidents: list[dict[str, Any]], mails: str
    ) -> tuple[list[str], list[str]]:
        """Which events began and ended meanwhile, and what of them table, incidents and mails told otherwise than the record."""
        wrong: list[str] = []
        seen: list[str] = []
        began: dict[str, Time] = {}
        for line in record:
            at = Time.parse(line["at"])
            if line["what"] == "began" and at >= self._seen[0][0]:
                began[line["event"]] = at
            elif line["what"] == "ended" and line["event"] in began and at + _ENDED_LATE_MS < self._seen[-1][0]:
                seen.append(line["event"])
                wrong += self._judge_one(line["event"], began.pop(line["event"]), at, incidents, mails)
        return seen, wrong

    def _judge_one(self, name: str, begin: Time, end: Time, incidents: list[dict[str, Any]], mails: str) -> list[str]:
        event, wrong = BY_ID[name], []
        during = [(states, blind) for at, states, blind in self._seen if begin <= at <= end + 2000]
        if event.cut_site:
            shown = any(event.cut_site in blind for _, blind in during)
            about = [one for one in incidents if one["site"] == event.cut_site]
            subject = event.cut_site
        else:
            shown = any(states.get(target) == event.sees for states, _ in during for target in event.targets)
            about = [one for one in incidents if set(one["targets"]) & set(event.targets)]
            # The first is what fails by itself; mails call it as people do.
            subject = HOSTS[event.targets[0]].name
        if not shown:
            wrong.append(f"{name}: no page showed {event.sees}")
        opened = [one for one in about if begin <= Time.parse(one["opened_at"]) <= end + 2000]
        if bool(opened) != event.opens_incident:
            wrong.append(f"{name}: incidents {[one['id'] for one in opened]}")
        wrong += [f"{name}: {one['id']} is still open" for one in opened if not one["resolved_at"]]
        wrong += [f"{name}: no mail about {subject}" for _ in opened[:1] if subject not in mails]
        after = [states for at, states, _ in self._seen if at >= end + _ENDED_LATE_MS]
        if after and not any(all(states[target] == "UP" for target in event.targets) for states in after[:20]):
            wrong.append(f"{name}: not UP again: { {target: after[0][target] for target in event.targets} }")
        return wrong
