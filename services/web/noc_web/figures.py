"""Figures as answers have them: a rounded share never claims to be all or nothing of what it is not."""

from __future__ import annotations


def pct(part: int, whole: int, digits: int) -> float | None:
    """How much of a whole, in percent. 0 only where it is nothing, 100 only where it is all; None: of nothing."""
    if not whole:
        return None
    value = round(100 * part / whole, digits)
    step: float = 10.0**-digits
    if value >= 100 and part < whole:
        return round(100 - step, digits)
    return step if value <= 0 < part else value
