"""Runs what waits — databases, password hashes, big tables — outside gevent's event loop."""

from __future__ import annotations

import contextvars
from collections.abc import Callable
from typing import Any, TypeVar

import gevent

T = TypeVar("T")


def off_loop(function: Callable[..., T], *arguments: Any) -> T:
    """The function's result, from a thread of gevent's pool; the present request is known there too."""
    context = contextvars.copy_context()
    result: T = gevent.get_hub().threadpool.apply(context.run, (function, *arguments))
    return result
