"""Sites that speak as probers do, of made-up cycles, as fast as the recorder's marks let them: run by themselves.

    python -m benchmarks.sites URLS CYCLES [--targets N] [--begin MS]

URLS is JSON: the broker's URL for "web", which publishes the catalogue, and for each site by its name. Each cycle is
published once, live; what no mark reaches comes again in batches, under a prober's own flow control. Says "ready" once
the recorder runs and has the catalogue, begins at a line on standard input, and ends with one of JSON once all is marked.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections import deque
from typing import Final

from noc_bus.broker import Broker
from noc_bus.channels import MARKS, REPLAYS, RESULTS, SERVICES, TARGETS
from noc_bus.messages import Mark, ProbeResult, Replay, ServicePresence, Target
from noc_bus.session import Session
from noc_bus.time import HOUR_MS, Time
from noc_prober.replay import FlowControl

SEED: Final = 8
INTERVAL_MS: Final = 10_000
_AT_ONCE: Final = 250
_RECORD_BYTES: Final = 250
# What is not marked after five seconds a prober sends again: the pace is one at which it is, on this machine.
_IN_TIME_S: Final = 2.5
_FIRST_WINDOW: Final = 1000
_MAX_WINDOW: Final = 15_000
_NOISE: Final = 4099


class Cycles:
    """One site's: RTTs of 1 to 200 ms with log-normal jitter of 5 %, 0.5 % lost. Each is always made the same."""

    def __init__(self, site: str, epoch: int, begin: int, targets: int) -> None:
        self._site, self._epoch, self._begin, self._targets = site, epoch, begin, targets
        rng = random.Random(f"{SEED} {site}")
        self._base_ms = [rng.uniform(1, 200) for _ in range(targets)]
        self._noise = [[rng.lognormvariate(0, 0.05) for _ in range(5) if rng.random() >= 0.005] for _ in range(_NOISE)]

    def of(self, seq: int) -> ProbeResult:
        number = seq % self._targets
        base_ms, noise = self._base_ms[number], self._noise[seq % _NOISE]
        return ProbeResult(
            site=self._site, target=f"host-{number}", epoch=self._epoch, seq=seq,
            at=Time(self._begin + seq * INTERVAL_MS // self._targets), address="192.0.2.1",
            sent=5, received=len(noise), rtts_ms=[round(base_ms * one, 3) for one in noise],
        )  # fmt: skip


class Site:
    def __init__(self, name: str, url: str, cycles: int, begin: int, targets: int) -> None:
        self.name = name
        self.marked = -1
        self.sent_again = 0
        self._next = 0
        self._last = cycles - 1
        self._window: float = _FIRST_WINDOW
        # A store that other runs were in has marks of theirs.
        self._epoch = int(Time.now())
        self._cycles = Cycles(name, self._epoch, begin, targets)
        self._ticked_s = time.monotonic()
        self._live: deque[tuple[float, int]] = deque()
        self._flow = FlowControl(self._ticked_s, 0)
        self.session = Session(Broker.parse(url), f"noc-prober-{name}")
        self.session.subscribe(MARKS, self._on_mark, site=name)
        self.session.start()

    @property
    def is_done(self) -> bool:
        return self.marked == self._last

    def speak(self) -> bool:
        """False where there is nothing to say now."""
        now_s = time.monotonic()
        if now_s - self._ticked_s > 0.05:
            self._ticked_s = now_s
            self._flow.marked(self.marked, now_s)
            self._flow.tick(now_s, self._next)
            while (first := self._flow.next_first_seq(self.marked + 1)) is not None:
                self._send_again(first, now_s)
            self._keep_pace(now_s)
        end = min(self._next + _AT_ONCE, self.marked + 1 + int(self._window), self._last + 1)
        if end <= self._next:
            return False
        for seq in range(self._next, end):
            self.session.publish(RESULTS, self._cycles.of(seq))
        self._next = end
        self._live.append((now_s, end - 1))
        return True

    def _keep_pace(self, now_s: float) -> None:
        """As many without a mark as are marked in time."""
        newest_s = None
        while self._live and self._live[0][1] <= self.marked:
            newest_s, _ = self._live.popleft()
        if newest_s is not None:
            is_in_time = now_s - newest_s < _IN_TIME_S
            self._window = max(_AT_ONCE, min(_MAX_WINDOW, self._window * (1.3 if is_in_time else 0.7)))

    def _send_again(self, first: int, now_s: float) -> None:
        last = min(first + max(1, self._flow.batch_bytes // _RECORD_BYTES), self._next) - 1
        results = [self._cycles.of(seq) for seq in range(first, last + 1)]
        self.session.publish(
            REPLAYS,
            Replay(
                site=self.name, epoch=self._epoch, oldest_seq=self.marked + 1, first_seq=first, last_seq=last,
                results=results, states=[],
            ),
        )  # fmt: skip
        self.sent_again += len(results)
        self._flow.sent(last, now_s)

    def _on_mark(self, mark: Mark | None, variables: dict[str, str]) -> None:
        if mark is not None and mark.epoch == self._epoch:
            self.marked = max(self.marked, mark.seq)


class Catalogue:
    """The web service, as far as the recorder hears of it."""

    def __init__(self, url: str) -> None:
        self.session = Session(Broker.parse(url), "noc-web")
        self._recorder: ServicePresence | None = None
        self.session.subscribe(SERVICES, self._on_service, service="recorder")
        self.session.start()

    def publish(self, targets: int) -> None:
        for number in range(targets):
            name = f"host-{number}"
            self.session.publish(
                TARGETS, Target(id=name, name=name, address="192.0.2.1", interval_s=INTERVAL_MS / 1000)
            )

    @property
    def hears_recorder(self) -> bool:
        return self._recorder is not None and self._recorder.online

    def _on_service(self, service: ServicePresence | None, variables: dict[str, str]) -> None:
        self._recorder = service


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("urls", type=json.loads)
    parser.add_argument("cycles", type=int, help="of each site")
    parser.add_argument("--targets", type=int, default=1000)
    parser.add_argument("--begin", type=int, help="when the first cycle starts; default: 48 h ago")
    given = parser.parse_args()
    begin = given.begin if given.begin is not None else begins_at()
    catalogue = Catalogue(given.urls.pop("web"))
    sites = [Site(name, url, given.cycles, begin, given.targets) for name, url in given.urls.items()]
    while not (catalogue.hears_recorder and all(site.session.connected for site in sites)):
        time.sleep(0.05)
    catalogue.publish(given.targets)
    time.sleep(1.5)
    print("ready", flush=True)
    sys.stdin.readline()
    while not all(site.is_done for site in sites):
        # All have their turn, whoever has spoken.
        if not sum(site.speak() for site in sites):
            time.sleep(0.005)
    print(json.dumps({"sent_again": sum(site.sent_again for site in sites)}), flush=True)
    for session in (catalogue.session, *(site.session for site in sites)):
        session.stop()
    return 0


def begins_at() -> int:
    """Whole hours in the past, so that they can be packed at once."""
    return (int(Time.now()) // HOUR_MS - 48) * HOUR_MS


if __name__ == "__main__":
    sys.exit(main())
