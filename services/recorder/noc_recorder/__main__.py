"""Start the recorder: settings, session, store, and the thread that writes."""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence

from noc_bus import presence
from noc_bus.session import Session
from noc_frame import log, process
from noc_history.store import StoreError
from noc_recorder.config import SETTINGS, Config
from noc_recorder.definitions import Definitions
from noc_recorder.forgotten import Deletions
from noc_recorder.intake import Intake
from noc_recorder.late import Late
from noc_recorder.maintenance import Maintenance
from noc_recorder.recorder import Recorder
from noc_recorder.rejected import RejectedFile
from noc_recorder.writer import Writer


def run(config: Config, stop: threading.Event) -> None:
    """Record until stopped. Raises StoreError when the store is broken for good, SessionDied."""
    logger = log.get("noc.recorder")
    kept = "" if config.history.keep_days is None else f", raw cycles for {config.history.keep_days} days"
    logger.info(f"storing in {config.history.described}{kept}")
    store = config.history.open()
    intake, rejected = Intake(), RejectedFile(config.data)
    session = Session(config.broker, "noc-recorder", will=lambda instance: presence.offline("recorder", instance))
    definitions, deletions = Definitions(session), Deletions(session, config.data)
    late = Late(session, config.data, store, definitions.now)
    writer = Writer(store, intake, rejected, definitions, deletions, late)
    maintenance = Maintenance(store, config.history.keep_days)
    recorder = Recorder(session, writer, maintenance, intake, rejected)
    broken: list[StoreError] = []

    def write() -> None:
        try:
            writer.run(stop, recorder.publish_marks)
        except StoreError as error:
            broken.append(error)
            stop.set()

    threads = [
        threading.Thread(target=write, name="writer", daemon=True),
        threading.Thread(target=maintenance.run, args=[stop], name="maintenance", daemon=True),
        threading.Thread(target=late.run, args=[stop], name="finder", daemon=True),
    ]
    for thread in threads:
        thread.start()
    session.start()
    while not stop.wait(1.0):
        session.check()
        for thread in threads:
            if not thread.is_alive():
                raise RuntimeError(f"the {thread.name}'s thread has ended by itself")
        definitions.tick()
        deletions.tick()
        recorder.tick()
    for thread in threads:
        thread.join(timeout=20)
    recorder.say_goodbye()
    session.stop()
    late.close()
    store.close()
    if broken:
        raise broken[0]


def health(config: Config) -> int:
    # What it cannot store is why it is there.
    return presence.service_health("recorder", config.broker, ill_with=(None,))


def main(argv: Sequence[str] | None = None) -> int:
    try:
        return process.main(
            "recorder", "Stores every result and change of state.", SETTINGS, Config.read, run, health, argv
        )
    except StoreError as error:
        log.get("noc.recorder").error(str(error))
        return 1


if __name__ == "__main__":
    sys.exit(main())
