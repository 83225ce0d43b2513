"""Alembic's entry: runs on the connection that the service hands over."""

from __future__ import annotations

from alembic import context

from noc_web.database.models import Base

context.configure(
    connection=context.config.attributes["connection"], target_metadata=Base.metadata, render_as_batch=True
)
with context.begin_transaction():
    context.run_migrations()
