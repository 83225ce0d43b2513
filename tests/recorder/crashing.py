"""A recorder's writer and upkeep, fed by a site that sends much of it twice; run by itself, so that it can die.

NOC_HISTORY_URL says where it stores: by itself, in the folder.
`python -m tests.recorder.crashing FOLDER START LAST_SEQ KEEP_DAYS` ends once the mark is there and nothing is left to
be packed. What it sends is always the same: see `record`.
`python -m tests.recorder.crashing FOLDER START FILE` does so for each line of FILE, `LAST_SEQ KEEP_DAYS STEP`: it forks
what has read all its modules once, which dies at that step, or, where none is named, ends.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from pathlib import Path
from typing import Final

from noc_bus.fake import Hub
from noc_bus.messages import ProbeResult, SiteState, State
from noc_bus.time import DAY_MS, HOUR_MS, Time
from tests.history.conftest import open_store
from tests.recorder.conftest import Rig

TARGETS: Final = ("router", "switch", "server", "printer")
EVERY_MS: Final = 10_000
BAD_EVERY: Final = 1000
_SLICE: Final = 150


def begins_at() -> Time:
    """A day and a half from it are over, and what is older than two days are some hours of them."""
    return Time((Time.now() // HOUR_MS - 53) * HOUR_MS)


def record(start: int, seq: int) -> ProbeResult | SiteState:
    """One in a thousand no store can take: it is of next week."""
    at = Time(start + seq * EVERY_MS)
    target = TARGETS[seq % len(TARGETS)]
    if seq % BAD_EVERY == BAD_EVERY - 1:
        at = Time(Time.now() + 7 * DAY_MS)
    if seq % 50 == 49 and seq % BAD_EVERY != BAD_EVERY - 1:
        kind = State.DOWN if seq % 100 == 49 else State.UP
        return SiteState(
            site="here", target=target, epoch=1, seq=seq, state=kind, since=at, reason="as it is", code=None, at=at
        )
    return ProbeResult(
        site="here",
        target=target,
        epoch=1,
        seq=seq,
        at=at,
        address="192.0.2.1",
        sent=2,
        received=1,
        rtts_ms=[seq % 97 + 1],
    )


def main(folder: Path, start: int, last_seq: int, keep_days: int) -> None:
    rng = random.Random(last_seq)
    rig = _start(folder, keep_days)
    while (mark := _marked(rig)) < last_seq:
        records = [record(start, seq) for seq in range(mark + 1, min(mark + 1 + _SLICE, last_seq + 1))]
        # Three in ten come twice, some of them after their mark, and nothing comes in its order.
        records += rng.sample(records, len(records) * 3 // 10)
        records += [record(start, seq) for seq in range(max(0, mark - 10), mark + 1)]
        rng.shuffle(records)
        rig.intake.put_oldest("here", 1, 0)
        rig.intake.put(*records)
        _wait_for_more(rig, mark)
    _end(rig)
    # A new start packs at once; who runs packs every ten minutes.
    rig = _start(folder, keep_days)
    # Whoever looks twice sees a whole round of upkeep end.
    for _ in range(4):
        seen = rig.maintenance.worked_s
        while rig.maintenance.worked_s == seen or rig.maintenance.backlog_rows:
            time.sleep(0.01)
    _end(rig)


def _start(folder: Path, keep_days: int) -> Rig:
    url = os.environ.get("NOC_HISTORY_URL")
    rig = Rig(folder, Hub(), keep_days=keep_days, elsewhere=open_store(url) if url else None)
    rig.start()
    return rig


def _end(rig: Rig) -> None:
    rig.stop()
    rig.store.close()
    rig.kept_in.close()


def die_at_each(folder: Path, start: int, plan: list[str]) -> int:
    """The exit code: 1 where it ended although it was to die, or the other way round."""
    for number, line in enumerate(plan):
        last_seq, keep_days, step = line.split(" ", 2)
        child = os.fork()
        if not child:
            if step:
                os.environ["NOC_CRASH_AT"] = step
            main(folder, start, int(last_seq), int(keep_days))
            # What else this process has was its parent's.
            os._exit(0)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if code != (-signal.SIGKILL if step else 0):
            print(f"line {number}, {line!r}: it ended with {code}", file=sys.stderr)
            return 1
    return 0


def _marked(rig: Rig) -> int:
    return rig.writer.ledger.marks().get("here", (1, -1))[1]


def _wait_for_more(rig: Rig, mark: int) -> None:
    deadline_s = time.monotonic() + 5
    while _marked(rig) == mark and time.monotonic() < deadline_s:
        if rig.died_of is not None:
            raise rig.died_of
        time.sleep(0.005)


if __name__ == "__main__":
    if len(sys.argv) == 4:
        sys.exit(die_at_each(Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]).read_text().splitlines()))
    main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
