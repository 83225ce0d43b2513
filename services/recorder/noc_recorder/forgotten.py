"""Deletes the history of what was deleted together with it, and keeps out what journals still bring of that time.

Which deletions are done is noted in a file, so that none is looked at again at the next start. Were the file lost,
nothing would be: whatever is dated after a deletion is kept.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from noc_bus.bus import Bus
from noc_bus.channels import FORGOTTEN
from noc_bus.messages import Forgotten, ProbeResult, SiteState, Trace
from noc_bus.mirror import Mirror
from noc_bus.time import Time
from noc_frame import log
from noc_frame.files import write_private
from noc_history.store import Batch, Definition, Store, StoreError
from noc_recorder.copying import batched, end_of_time, states_of

# A prober may not have heard of the deletion yet.
_STRAY_MS: Final = 60_000
_RETRY_S: Final = 60.0


class Deletions:
    """`tick` belongs to the thread that looks after the bus, the rest to the one that writes."""

    def __init__(self, bus: Bus, folder: Path) -> None:
        self._mirror: Mirror[tuple[str, str], Forgotten] = Mirror(bus, FORGOTTEN)
        self._path = folder / "forgotten.json"
        self._done = _read(self._path)
        self._retry_at_s = 0.0
        self._log = log.get("noc.recorder")

    def tick(self) -> None:
        self._mirror.tick()

    def covers(self, record: ProbeResult | SiteState | Trace, *, is_defined: bool) -> bool:
        """Whether it belongs to what is forgotten. `is_defined`: its target is in the catalogue."""
        if not len(self._mirror):
            return False
        at = record.since if isinstance(record, SiteState) else record.at
        site, target = (self._mirror.get(key) for key in (("site", record.site), ("target", record.target)))
        if site is not None and at <= site.at:
            return True
        return target is not None and at <= (target.at if is_defined else target.at + _STRAY_MS)

    def carry_out(self, store: Store) -> Iterator[tuple[Forgotten, list[Definition]]]:
        """What has just been forgotten, each with the definitions that are dated after it."""
        if not len(self._mirror) or time.monotonic() < self._retry_at_s:
            return
        for key, one in self._mirror.items().items():
            if one.at <= self._done.get("/".join(key), 0):
                continue
            try:
                definitions = _forget(store, one)
            except StoreError as error:
                self._retry_at_s = time.monotonic() + _RETRY_S
                self._log.error(f"{error}; the history of the {one.kind} {one.name} stays, the next try is in a minute")
                return
            self._log.info(f"deleted the history of the {one.kind} {one.name} up to {one.at}")
            self._note(one)
            yield one, definitions

    def _note(self, one: Forgotten) -> None:
        if self._mirror.is_complete:
            known = {"/".join(key) for key in self._mirror.items()}
            self._done = {name: at for name, at in self._done.items() if name in known}
        self._done[f"{one.kind}/{one.name}"] = int(one.at)
        try:
            write_private(self._path, json.dumps(self._done))
        except OSError as error:
            self._log.error(f"{self._path} cannot be written ({error}); the next start looks at that history again")


def _read(path: Path) -> dict[str, int]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {str(name): at for name, at in found.items() if isinstance(at, int)} if isinstance(found, dict) else {}


def _forget(store: Store, one: Forgotten) -> list[Definition]:
    """The definitions that are dated later. What else has come of that time is taken out, and put back. Raises StoreError."""
    target, site = (one.name, None) if one.kind == "target" else (None, one.name)
    later = Time(one.at + 1)
    last = {key: at for key, at in store.last_cycles().items() if target in (None, key[0]) and site in (None, key[1])}
    newer = sorted({of for (of, _), at in last.items() if at >= later})
    defined = store.definitions([target]).get(target, ()) if target is not None else ()
    definitions = [found for found in defined if found.since >= later]
    # That it went belongs to what goes.
    while definitions and definitions[0].target is None:
        del definitions[0]
    is_older = (
        any(at < later for at in last.values())
        or any(found.since < later for found in defined)
        or any(store.series(of, Time(0), later, 1, site) for of in newer)
    )
    if newer and not is_older:
        return definitions
    kept = [batch for of in newer for batch in _since(store, of, site, later)]
    if definitions:
        kept.append(Batch(definitions=definitions))
    store.forget(target, site)
    for batch in filter(None, kept):
        store.write(batch)
    return definitions


def _since(store: Store, target: str, site: str | None, start: Time) -> Iterator[Batch]:
    """What is kept of a target from `start` on; `site` None: of all sites."""
    for results in batched(store.raw_cycles(target, start, end_of_time())):
        yield Batch(results=[one for one in results if site in (None, one.site)])
    traces = store.traces([target], start, end_of_time()).get(target, ())
    yield Batch(traces=[one for one in traces if site in (None, one.site)])
    for name, records in store.states([target], start, end_of_time()).get(target, {}).items():
        if site in (None, name):
            yield Batch(
                states=[one for one in states_of(target, name, records) if one.since >= start],
                silences=[one for one in records.silences if one.start >= start],
            )
