"""The week before the demonstration: the same simulation, measured as probers measure and judged by their rules.

`python -m noc_demo.past FOLDER` writes it, and prints the share that is done after each portion.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec

from noc_bus.messages import Hop, Incident, Member, ProbeResult, SiteState, State, Target, Trace, VerdictState
from noc_bus.time import Time
from noc_demo.network import GROUPS, HOSTS, SITES, Host, path, path_addresses
from noc_demo.script import BY_ID as EVENTS
from noc_demo.weather import Condition, Effect, Trouble, condition
from noc_history.store import Batch, Store
from noc_history.stores import in_folder
from noc_rules import site_state
from noc_rules.inheritance import resolve
from noc_rules.site_state import Outcome, Reason, SiteView, StateCode
from noc_rules.timeline import InForce, Interval, overall, site_intervals

WEEK_S: Final = 7 * 86_400
_COARSE_S: Final = 600
"""Most of the week is measured so often: a chart of seven days has about as many pixels."""
_LAST_S: Final = 3600
_LAST_EVERY_S: Final = 30
"""The last hour is what people look at first."""
_AROUND_S: Final = 120
"""So long before and after trouble, and at the very end, the probers' own rhythm counts: by it states are judged."""
_SLICE_S: Final = 12 * 3600
_NOTICED_S: Final = 90
"""So long after a path changed it is followed again."""
_EPOCH: Final = 1
_ISOLATED: Final = Reason(StateCode.ISOLATED, "site is isolated: no anchor answers")


def troubles(end_s: float) -> list[Trouble]:
    """What went wrong in the week that ends at `end_s`."""

    def ago(
        days: float, hours: float, lasts_min: float, name: str, *effects: Effect, cut: str | None = None
    ) -> Trouble:
        begins_s = end_s - days * 86_400 - hours * 3600
        return Trouble(name, begins_s, begins_s + lasts_min * 60, effects, cut)

    def of(event: str) -> tuple[Effect, ...]:
        return EVENTS[event].effects

    hamburg = tuple(host.id for host in HOSTS if host.place == "hamburg")
    return [
        ago(6, 3.2, 23, "hamburg-fails", Effect(hamburg, silent=True)),
        ago(5, 9.0, 4, "db-2-restarts", Effect(("db-2",), silent=True)),
        ago(
            4,
            20.5,
            95,
            "munich-slow",
            Effect(tuple(h.id for h in HOSTS if h.place == "munich"), more_ms=8, more_loss_pct=24),
        ),
        ago(4, 2.1, 11, "shop-fails", Effect(("shop",), silent=True)),
        ago(3, 14.4, 40, "vienna-loses-cloud", Effect(("cloud-api", "cloud-queue"), ("vienna",), silent=True)),
        ago(2, 19.8, 120, "dublin-slow", *of("dublin-slow")),
        ago(2, 3.0, 21, "mail-flaps", Effect(("mail",), flap_s=(140, 280))),
        ago(1, 6.3, 17, "stuttgart-fails", *of("stuttgart-fails")),
        ago(0, 21.0, 300, "vienna-detour", *of("route-changes")),
        ago(0, 9.1, 25, "vienna-cut", cut="vienna"),
        ago(0, 3.4, 6, "intranet-fails", *of("intranet-fails")),
    ]


@dataclass
class Line:
    """One target from one site, on its way through the week."""

    site: str
    host: Host
    target: Target
    rng: random.Random
    view: SiteView
    states: list[SiteState] = field(default_factory=list)
    last: ProbeResult | None = None


class Past:
    """The week that ends at `end`. The same seed and end give the same week."""

    def __init__(self, end: Time, seed: int = 1, extra: Sequence[Trouble] = ()) -> None:
        """`extra`: trouble besides the week's own, which may last beyond its end."""
        self.end = end
        self.start = Time(end - WEEK_S * 1000)
        self._troubles = [*troubles(end / 1000), *extra]
        self._seqs = {site.id: 0 for site in SITES}
        self.lines = [self._line(site.id, host, seed) for site in SITES for host in HOSTS]

    def _line(self, site: str, host: Host, seed: int) -> Line:
        view = SiteView(State.UP, self.start, Reason(StateCode.ANSWERS, "answers"), self.start, seen=True)
        line = Line(site, host, resolved(host), random.Random(f"{seed} {site} {host.id}"), view)
        line.states.append(self._state(line))
        return line

    def batches(self) -> Iterator[tuple[float, Batch]]:
        """Everything in the order of time, in portions; each with the share that is done after it."""
        at_s = self.start / 1000
        end_s = self.end / 1000
        while at_s < end_s:
            until_s = min(at_s + _SLICE_S, end_s)
            known = {id(line): len(line.states) for line in self.lines} if at_s > self.start / 1000 else {}
            results = [result for line in self.lines for result in self._cycles(line, at_s, until_s)]
            states = [state for line in self.lines for state in line.states[known.get(id(line), 0) :]]
            yield (until_s - self.start / 1000) / WEEK_S, Batch(results=results, states=states)
            at_s = until_s
        yield 1.0, Batch(incidents=self.incidents(), traces=self.traces())

    def traces(self) -> list[Trace]:
        """Of each line the paths that differ from the one before: that of the start, detours, and the way back."""
        return [trace for line in self.lines for trace in self._traces(line)]

    def _traces(self, line: Line) -> Iterator[Trace]:
        start_s = self.start / 1000
        turns = [at_s for one in self._troubles if _detours(one, line) for at_s in (one.begins_s, one.ends_s)]
        before: list[str] = []
        for at_s in (start_s, *(at_s + _NOTICED_S for at_s in turns if start_s < at_s < self.end / 1000 - _NOTICED_S)):
            now = condition(line.site, line.host.id, at_s, self._troubles)
            routers = path(line.site, line.host, detour=now.detour)
            addresses = path_addresses(line.site, line.host, detour=now.detour)
            if addresses == before:
                continue
            before = addresses
            names = [*(one.name for one in routers), None]
            hops = [
                Hop(ttl=ttl, address=address, name=name, rtts_ms=[round(now.delay_ms * ttl / len(names), 3)] * 3)
                for ttl, (address, name) in enumerate(zip([*addresses, line.host.address], names, strict=True), 1)
            ]
            yield Trace(
                site=line.site, target=line.host.id, address=line.host.address, at=Time(int(at_s * 1000)), reached=True,
                hops=hops,
            )  # fmt: skip

    def _cycles(self, line: Line, begin_s: float, end_s: float) -> Iterator[ProbeResult]:
        concerning = [one for one in self._troubles if _concerns(one, line)]
        for at_s, is_dense in self._times(line, concerning, begin_s, end_s):
            if any(one.cut_site == line.site and one.is_on(at_s) for one in concerning):
                # Nobody measured anything: it had no network.
                self._blind(line, at_s)
                continue
            now = condition(line.site, line.host.id, at_s, concerning)
            result = self._result(line, at_s, now)
            line.last = result
            if is_dense or line.view.state is not State.UP:
                self._judge(line, result)
            yield result

    def _times(
        self, line: Line, concerning: Sequence[Trouble], begin_s: float, end_s: float
    ) -> Iterator[tuple[float, bool]]:
        """When this line is measured, and whether often enough to judge by."""
        at_s = begin_s
        harming = [one for one in concerning if one.cut_site or any(effect.harms for effect in one.effects)]
        while at_s < end_s:
            is_dense = any(one.begins_s - _AROUND_S <= at_s < one.ends_s + _AROUND_S for one in harming)
            yield at_s, is_dense
            if is_dense or at_s >= self.end / 1000 - _AROUND_S:
                at_s += line.target.interval_s
                continue
            step_s = _LAST_EVERY_S if at_s >= self.end / 1000 - _LAST_S else _COARSE_S
            # Trouble that begins before the next regular cycle is not to be missed.
            coming = [
                begin for begin in (*(one.begins_s for one in harming), self.end / 1000) if at_s < begin - _AROUND_S
            ]
            at_s = min([at_s + step_s, *(begin - _AROUND_S for begin in coming)])

    def _result(self, line: Line, at_s: float, now: Condition) -> ProbeResult:
        rng, packets = line.rng, line.target.packets
        rtts_ms: list[float] = []
        if not now.silent:
            keep, tail = 1 - now.loss_pct / 100, 1 / now.tail_ms
            rtts_ms = [
                round(now.delay_ms + rng.random() * now.jitter_ms + rng.expovariate(tail), 3)
                for _ in range(packets)
                if rng.random() < keep
            ]
        return ProbeResult(
            site=line.site, target=line.host.id, epoch=_EPOCH, seq=self._seq(line.site), at=Time(int(at_s * 1000)),
            address=line.host.address, sent=packets, received=len(rtts_ms), rtts_ms=rtts_ms,
        )  # fmt: skip

    def _judge(self, line: Line, result: ProbeResult) -> None:
        before = line.view
        outcome = Outcome(result.at, result.sent, tuple(result.rtts_ms), is_cycle=True)
        line.view = site_state.judge(before, outcome, line.target)
        if site_state.changed(before, line.view):
            line.states.append(self._state(line))

    def _blind(self, line: Line, at_s: float) -> None:
        before = line.view
        line.view = site_state.blind(before, int(at_s * 1000), _ISOLATED)
        if site_state.changed(before, line.view):
            line.states.append(self._state(line))

    def _state(self, line: Line) -> SiteState:
        view = line.view
        return SiteState(
            site=line.site, target=line.host.id, epoch=_EPOCH, seq=self._seq(line.site), state=view.state,
            since=Time(view.since), reason=view.reason.text, code=view.reason.code, at=Time(view.at), rtt_ms=view.rtt_ms,
            loss_pct=view.loss_pct,
        )  # fmt: skip

    def _seq(self, site: str) -> int:
        self._seqs[site] += 1
        return self._seqs[site]

    def incidents(self) -> list[Incident]:
        """One for every time that a target was DOWN and no parent of it was: as an alerter opens them."""
        down = {host.id: [one for one in self.timeline(host) if one.state is VerdictState.DOWN] for host in HOSTS}
        found = [
            _incident(host, interval, self.end)
            for host in HOSTS
            for interval in down[host.id]
            if not any(
                _overlap(interval, other) for parent in host.options.get("parents", ()) for other in down[parent]
            )
        ]
        return sorted(found, key=lambda incident: incident.opened_at)

    def timeline(self, host: Host) -> list[Interval]:
        in_force = InForce(resolved(host))
        by_site = {
            line.site: site_intervals(line.states, (), self.end, self.start, self.end, in_force)
            for line in self.lines
            if line.host is host
        }
        return overall(in_force, by_site, {})


def resolved(host: Host) -> Target:
    """The target as the catalogue resolves it: with what its groups set."""
    return msgspec.convert(resolve(host.definition(), host.group, GROUPS), Target)


def write(store: Store, end: Time, *, seed: int = 1) -> Iterator[float]:
    """Have the store keep the week, portion by portion; the share that is done. Raises StoreError."""
    for share, batch in Past(end, seed).batches():
        store.write(batch)
        yield share


def _concerns(trouble: Trouble, line: Line) -> bool:
    return trouble.cut_site == line.site or any(one.concerns(line.site, line.host.id) for one in trouble.effects)


def _detours(trouble: Trouble, line: Line) -> bool:
    return any(one.detour and one.concerns(line.site, line.host.id) for one in trouble.effects)


def _overlap(one: Interval, other: Interval) -> bool:
    return one.start < other.end and other.start < one.end


def _incident(host: Host, interval: Interval, end: Time) -> Incident:
    is_over = interval.end < end
    member = Member(
        target=host.id, name=host.name, address=host.pinged, group=host.group,
        critical=bool(host.options.get("critical")), joined_at=interval.start, left_at=interval.end if is_over else None,
    )  # fmt: skip
    return Incident(
        id=f"{interval.start.datetime():%Y%m%d-%H%M%S}-{host.id}", kind="target-down", targets=[host.id], members=[member],
        total_members=1, opened_at=interval.start, resolved_at=interval.end if is_over else None, cause=interval.reason,
    )  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description="Writes the demonstration's past into the store of a data folder.")
    parser.add_argument("folder", type=Path)
    store = in_folder(parser.parse_args().folder).open()
    for share in write(store, Time.now()):
        print(f"{share:.4f}", flush=True)
    store.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
