"""The HTTP API: one file a resource, each ending with the table of its routes."""

from __future__ import annotations

from typing import Final

from noc_web.api import (
    audit,
    calendars,
    commands,
    groups,
    history,
    incidents,
    mail,
    maintenances,
    me,
    notifications,
    openapi,
    paths,
    rehearsals,
    report_mails,
    reports,
    room,
    site_keys,
    sites,
    status,
    summaries,
    targets,
    targets_file,
    tokens,
    users,
)
from noc_web.api.route import Route

_RESOURCES: Final[tuple[Route, ...]] = (
    *status.ROUTES,
    # Before the routes of one target, whose id may be neither of these words.
    *targets_file.ROUTES,
    *targets.ROUTES,
    *history.ROUTES,
    *summaries.ROUTES,
    *room.ROUTES,
    *commands.ROUTES,
    *paths.ROUTES,
    *groups.ROUTES,
    *sites.ROUTES,
    *site_keys.ROUTES,
    *incidents.ROUTES,
    *maintenances.ROUTES,
    *reports.ROUTES,
    *rehearsals.ROUTES,
    *calendars.ROUTES,
    *report_mails.ROUTES,
    *mail.ROUTES,
    *notifications.ROUTES,
    *me.ROUTES,
    *users.ROUTES,
    *tokens.ROUTES,
    *audit.ROUTES,
)
ROUTES: Final[tuple[Route, ...]] = (*_RESOURCES, openapi.route(_RESOURCES))
