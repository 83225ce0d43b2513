"""What a change of the catalogue costs where there are many targets, and what a log-in costs it.

    .venv/bin/python benchmarks/catalog.py [--targets 5000]

CPU of this process for each, database and audit included, the median of some; `resolved` is how many targets had their
options resolved for it. What another process does counts with what noticing it costs here.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import count
from pathlib import Path

from noc_web.auth.accounts import Accounts
from noc_web.catalog.catalog import Catalog
from noc_web.catalog.table import Listing
from noc_web.database.opening import Database

_PASSWORD = "seventeen green bottles"  # noqa: S105  # of a user in a folder that is thrown away
_TIMES = 9
_PER_GROUP = 100
_WHO = "benchmark"


def main() -> int:
    parser = argparse.ArgumentParser(description="What a change of the catalogue costs.")
    parser.add_argument("--targets", type=int, default=5000)
    targets = parser.parse_args().targets
    with tempfile.TemporaryDirectory() as folder, closing(Database(Path(folder))) as database:
        print(f"{targets} targets in groups of {_PER_GROUP}\n")
        print(f"{'act':<44}{'CPU ms':>9}{'resolved':>10}")
        for act, cpu_ms, resolved in _acts(database, targets):
            print(f"{act:<44}{cpu_ms:>9.1f}{resolved:>10}")
    return 0


def _acts(database: Database, targets: int) -> Iterator[tuple[str, float, int]]:
    catalog, accounts, numbers = Catalog(database), Accounts(database), count()
    rows: list[object] = [
        {
            "id": f"t{number}",
            "address": f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}",
            "group": _group(number),
        }
        for number in range(targets)
    ]

    def figures(act: str, run: Callable[[], object], times: int = _TIMES) -> tuple[str, float, int]:
        before = catalog.resolved_total
        spent_ms = []
        for _ in range(times):
            started_ns = time.process_time_ns()
            run()
            catalog.follow()
            spent_ms.append((time.process_time_ns() - started_ns) / 1e6)
        return act, statistics.median(spent_ms), (catalog.resolved_total - before) // times

    yield figures("import of all", lambda: catalog.import_listing(Listing(rows), _WHO, replace=False), 1)
    yield figures("edit of one target", lambda: catalog.patch_target("t7", {"note": str(next(numbers))}, _WHO))
    yield figures("adding a target", lambda: catalog.add_target({"address": f"new{next(numbers)}.test"}, _WHO))
    yield figures(
        "options of a group",
        lambda: catalog.put_group(_group(0), {"packets": 2 + next(numbers) % 3}, _WHO),
    )
    other = Catalog(database)
    other.contents()
    yield figures(
        "edit of one target by another process", lambda: other.patch_target("t8", {"note": str(next(numbers))}, _WHO)
    )
    accounts.add_user("anna", "viewer", _PASSWORD)
    yield figures("log-in, password hash included", lambda: accounts.log_in("anna", _PASSWORD))
    found = accounts.log_in("anna", _PASSWORD)
    assert found
    yield figures("a session's request", lambda: accounts.who(found[0]))
    yield figures("note in the audit", lambda: catalog.note(_WHO, "look", "around"))
    yield figures("look for changes of others", catalog.follow)


def _group(number: int) -> str:
    return f"site-{number // _PER_GROUP}"


if __name__ == "__main__":
    sys.exit(main())
