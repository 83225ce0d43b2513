"""Pages of somebody else's, for whoever runs the web service as a part of something larger."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from flask import Blueprint

from noc_web.auth.guard import Guard


@dataclass(frozen=True)
class Extension:
    """Further routes, and what the shell of every page loads besides its own."""

    blueprint: Callable[[Guard], Blueprint]
    """Its handlers ask the guard who may."""
    scripts: tuple[str, ...] = ()
    """Addresses of JavaScript modules."""
    stylesheets: tuple[str, ...] = ()
