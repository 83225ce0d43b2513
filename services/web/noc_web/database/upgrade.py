"""Brings the database to the present schema. Alembic has the steps; only a file that needs one imports this module."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config as AlembicConfig
from alembic.util.exc import CommandError
from sqlalchemy import Connection

from noc_frame.settings import SettingError


def upgrade(connection: Connection, path: Path) -> None:
    """Take all steps that are due. Raises SettingError where the file has had steps that this program has not."""
    config = AlembicConfig()
    config.set_main_option("script_location", "noc_web:database/migrations")
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise SettingError(
            f"NOC_DATA: {path} was made by another version of NOC ({error}); "
            "start that version or a newer one, or move the file away."
        ) from None
