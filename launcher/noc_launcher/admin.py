"""The commands on users, tokens and targets: on the database itself, beside a running system or without one."""

from __future__ import annotations

import getpass
import os
import secrets
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Literal

from noc_launcher.complaint import Complaint
from noc_web.auth.accounts import Accounts
from noc_web.catalog import table
from noc_web.catalog.catalog import Catalog
from noc_web.database.opening import Database
from noc_web.problem import ProblemError


def add_user(folder: Path, name: str, role: str) -> str:
    """Add a user whose password is typed, or piped in; the sentence to say. Raises Complaint."""
    if sys.stdin.isatty():
        password = getpass.getpass(f"Password for {name} (12 to 128 characters): ")
        if getpass.getpass("Again: ") != password:
            raise Complaint("The two passwords differ; nothing was changed.")
    else:
        password = sys.stdin.readline().rstrip("\n")
    with closing(_open(folder)) as database:
        accounts, catalog = Accounts(database), Catalog(database)
        try:
            accounts.add_user(name, role, password)
        except ProblemError as problem:
            raise Complaint(problem.detail) from None
        catalog.note(_who(), "add user", name, {"role": role})
    return f"{name} can log in now, as {role}."


def create_token(folder: Path, role: str, name: str | None) -> str:
    """A new token, which nobody can ask for again. Raises Complaint."""
    chosen = name or f"{role}-{secrets.token_hex(3)}"
    with closing(_open(folder)) as database:
        try:
            token = Accounts(database).create_token(chosen, role)
        except ProblemError as problem:
            raise Complaint(problem.detail) from None
        Catalog(database).note(_who(), "create token", chosen, {"role": role})
    return token


def import_targets(folder: Path, file: str, *, replace: bool) -> str:
    """Add all targets of a CSV or JSON file (`-`: standard input), or none; the sentence to say. Raises Complaint."""
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Complaint(f"{file} cannot be read ({error}); name a CSV or JSON file.") from None
    with closing(_open(folder)) as database:
        try:
            added, changed = Catalog(database).import_targets(table.read(text), _who(), replace=replace)
        except ProblemError as problem:
            reasons = "\n".join(error.detail for error in problem.errors) or problem.detail
            raise Complaint(f"{file}: nothing was imported.\n{reasons}") from None
    return f"{added} targets added, {changed} changed."


def export_targets(folder: Path, form: Literal["csv", "json"]) -> str:
    """All targets as the text of a file."""
    with closing(_open(folder)) as database:
        contents = Catalog(database).contents()
    return table.to_csv(contents.targets) if form == "csv" else table.to_json(contents.targets, contents.groups)


def add_first_targets(folder: Path, targets: Sequence[Mapping[str, object]]) -> int:
    """Add those that are accepted, where there are no targets yet; how many were."""
    with closing(_open(folder)) as database:
        catalog = Catalog(database)
        if catalog.contents().targets:
            return 0
        added = 0
        for target in targets:
            try:
                catalog.add_target(dict(target), "noc up")
                added += 1
            except ProblemError:
                # A gateway whose address cannot be a target is no reason to start with nothing.
                continue
    return added


def _open(folder: Path) -> Database:
    if not folder.is_dir():
        raise Complaint(f"There is no data folder {folder}; start ./noc up once, or name the folder with --data.")
    return Database(folder)


def _who() -> str:
    """For the audit: the person at this terminal."""
    try:
        return f"{getpass.getuser()} (terminal)"
    except (KeyError, OSError):
        return f"user {os.getuid()} (terminal)"
