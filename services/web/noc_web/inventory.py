"""The list of targets for the command line: read, written and proposed beside a running service or without one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from noc_web.catalog import table
from noc_web.catalog.catalog import Catalog
from noc_web.database.opening import Database
from noc_web.problem import ProblemError


def add_first_targets(folder: Path, targets: Sequence[Mapping[str, Any]], who: str) -> int:
    """Add what was found on this machine, unless there are targets already. How many were added.

    `who` is written into the audit. Raises SettingError for a folder that cannot be used.
    """
    with closing(Database(folder)) as database:
        catalog = Catalog(database)
        if catalog.contents().targets:
            return 0
        added = 0
        for target in targets:
            try:
                catalog.add_target(dict(target), who)
                added += 1
            except ProblemError:
                # A proposal only: what does not fit, or is there under another name, is not missed.
                continue
        return added


def import_file(folder: Path, path: Path, who: str, *, replace: bool) -> tuple[int, int]:
    """How many targets were added and changed. Raises ProblemError, SettingError, OSError."""
    listing = table.read(path.read_bytes())
    with closing(Database(folder)) as database:
        done = Catalog(database).import_listing(listing, who, replace=replace)
    return done.added, done.changed


def export_text(folder: Path, form: str) -> str:
    """All targets as `csv` or `json`. Raises SettingError."""
    with closing(Database(folder)) as database:
        contents = Catalog(database).contents()
    return (
        table.to_csv(contents.targets)
        if form == "csv"
        else table.to_json(contents.targets, contents.groups, contents.sites)
    )
