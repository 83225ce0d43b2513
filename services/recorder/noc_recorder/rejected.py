"""Records the store can never take are set aside in a file, so that the others get through."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from noc_bus.codec import encode
from noc_bus.time import Time
from noc_frame import crash, log
from noc_history.store import Rejected

_MAX_BYTES: Final = 5_000_000


class RejectedFile:
    """Lines of JSON in `rejected.jsonl`; the file before the last change of file is kept as `rejected.1.jsonl`."""

    def __init__(self, folder: Path) -> None:
        self.total = 0
        self._path = folder / "rejected.jsonl"
        self._log = log.get("noc.recorder")

    def add(self, rejected: Sequence[Rejected]) -> None:
        if not rejected:
            return
        self.total += len(rejected)
        records = "a record" if len(rejected) == 1 else f"{len(rejected)} records"
        self._log.error(f"the store refused {records}, kept in {self._path}: {rejected[0].reason}")
        try:
            if self._path.exists() and self._path.stat().st_size > _MAX_BYTES:
                self._path.replace(self._path.with_suffix(".1.jsonl"))
            with self._path.open("a", encoding="utf-8") as file:
                for one in rejected:
                    kept = {"at": str(Time.now()), "reason": one.reason, "record": json.loads(encode(one.record))}
                    file.write(json.dumps(kept) + "\n")
            crash.point("reject:after")
        except OSError as error:
            self._log.error(f"{self._path} cannot be written ({error}); the refused records are only counted")
