"""The commands on users, tokens and targets: on the database itself, beside a running system or without one."""

from __future__ import annotations

import getpass
import os
import secrets
import sys
from contextlib import closing
from pathlib import Path
from typing import Literal

from noc_launcher.complaint import Complaint
from noc_web import inventory
from noc_web.auth.accounts import Accounts
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
    """Add all targets of a CSV or JSON file, or none; the sentence to say. Raises Complaint."""
    _check_folder(folder)
    try:
        added, changed = inventory.import_file(folder, Path(file), _who(), replace=replace)
    except (OSError, UnicodeDecodeError) as error:
        raise Complaint(f"{file} cannot be read ({error}); name a CSV or JSON file.") from None
    except ProblemError as problem:
        reasons = "\n".join(error.detail for error in problem.errors) or problem.detail
        raise Complaint(f"{file}: nothing was imported.\n{reasons}") from None
    return f"{added} targets added, {changed} changed."


def export_targets(folder: Path, form: Literal["csv", "json"]) -> str:
    """All targets as the text of a file."""
    _check_folder(folder)
    return inventory.export_text(folder, form)


def _open(folder: Path) -> Database:
    _check_folder(folder)
    return Database(folder)


def _check_folder(folder: Path) -> None:
    if not folder.is_dir():
        raise Complaint(f"There is no data folder {folder}; start ./noc up once, or name the folder with --data.")


def _who() -> str:
    """For the audit: the person at this terminal."""
    try:
        return f"{getpass.getuser()} (terminal)"
    except (KeyError, OSError):
        return f"user {os.getuid()} (terminal)"
