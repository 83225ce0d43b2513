"""Import a file that will be refused while somebody else holds the database; print status, bytes, CPU seconds and MiB.

A process of its own, so that its peak of memory is known.
"""

from __future__ import annotations

import resource
import sys
from pathlib import Path

from noc_web.catalog import table
from noc_web.catalog.catalog import Catalog
from noc_web.database.opening import Database
from noc_web.problem import ProblemError

database = Database(Path(sys.argv[1]))
catalog = Catalog(database)
catalog.contents()
file = Path(sys.argv[2])
before = resource.getrusage(resource.RUSAGE_SELF)
# Whoever wants to write now waits for ten seconds, and then fails with another exception.
with database.begin():
    try:
        catalog.import_listing(table.read(file.read_bytes()), "somebody", replace=False)
    except ProblemError as problem:
        print(problem.status, len(problem.response().data), end=" ")
after = resource.getrusage(resource.RUSAGE_SELF)
cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
print(f"{cpu_s:.2f} {(after.ru_maxrss - before.ru_maxrss) // 1024}")
