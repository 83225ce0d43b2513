"""The address of one host, for a question that is asked once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from noc_prober.addresses import BadAddress, Destination, check_name, literal
from noc_prober.resolver import LookUp, usable_of

T = TypeVar("T")


def finding(name: str, family: str, look_up: LookUp) -> Future[Destination]:
    """The address of a host, or BadAddress. `family` is 4, 6 or auto."""
    return aside(lambda: _find(name, family, look_up))


def aside(work: Callable[[], T]) -> Future[T]:
    """What comes of it, on a thread that nobody has to wait for."""
    outcome: Future[T] = Future()
    outcome.set_running_or_notify_cancel()

    def run() -> None:
        try:
            outcome.set_result(work())
        except Exception as error:  # noqa: BLE001  # raised where the outcome is asked for
            outcome.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return outcome


def _find(name: str, family: str, look_up: LookUp) -> Destination:
    """Raises BadAddress."""
    fixed = literal(name)
    if fixed is None:
        check_name(name)
        try:
            found = usable_of(look_up(name))
        except (OSError, UnicodeError) as error:
            reason = getattr(error, "strerror", None) or error
            raise BadAddress(f"the name {name} cannot be resolved: {reason}") from None
    else:
        found = (fixed,)
    fitting = [to for to in found if family in ("auto", str(to.family))]
    if not fitting:
        raise BadAddress(f"{name} has no {'' if family == 'auto' else f'IPv{family} '}address")
    return fitting[0]
