"""Start the recorder: settings, session, store, and the thread that writes."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Sequence

from noc_bus import presence
from noc_bus.session import Session
from noc_frame import log, process
from noc_history.store import StoreError
from noc_recorder.config import SETTINGS, Config
from noc_recorder.intake import Intake
from noc_recorder.recorder import Recorder
from noc_recorder.rejected import RejectedFile
from noc_recorder.writer import Writer


def run(config: Config, stop: threading.Event) -> None:
    """Record until stopped. Raises StoreError when the store is broken for good, SessionDied."""
    logger = log.get("noc.recorder")
    logger.info(f"storing in {config.history.described}, raw cycles for {config.history.keep_days} days")
    store = config.history.open()
    intake, rejected = Intake(), RejectedFile(config.data)
    writer = Writer(store, intake, rejected, config.history.keep_days)
    session = Session(config.broker, "noc-recorder", will=lambda instance: presence.offline("recorder", instance))
    recorder = Recorder(session, writer, intake, rejected)
    broken: list[StoreError] = []

    def write() -> None:
        try:
            writer.run(stop, recorder.publish_marks)
        except StoreError as error:
            broken.append(error)
            stop.set()

    thread = threading.Thread(target=write, name="writer", daemon=True)
    thread.start()
    session.start()
    announce_at_s = 0.0
    while not stop.wait(1.0):
        session.check()
        if not thread.is_alive():
            raise RuntimeError("the writer's thread has ended by itself")
        if time.monotonic() >= announce_at_s:
            announce_at_s = time.monotonic() + presence.PRESENCE_EVERY_S
            recorder.announce()
    thread.join(timeout=20)
    recorder.say_goodbye()
    session.stop()
    store.close()
    if broken:
        raise broken[0]


def health(config: Config) -> int:
    return presence.service_health("recorder", config.broker)


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
