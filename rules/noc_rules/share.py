"""Shares in percent: a rounded one never claims to be all or nothing of what it is not."""

from __future__ import annotations

from decimal import ROUND_DOWN, Decimal


def pct(part: float, whole: float, digits: int) -> float | None:
    """How much of a whole, in percent. 0 only where it is nothing, 100 only where it is all; None: of nothing."""
    if not whole:
        return None
    value = round(100 * part / whole, digits)
    step: float = 10.0**-digits
    if value >= 100 and part < whole:
        return round(100 - step, digits)
    return step if value <= 0 < part else value


def shown_change(points: float, digits: int = 3) -> str:
    """A difference of two percentages, in percentage points, with its sign: ±0 is only none at all."""
    step = Decimal(1).scaleb(-digits)
    # What two sums of seconds differ by in floating point is no change.
    if abs(points) < 1e-9:
        return f"±{0:.{digits}f}"
    if abs(points) < step:
        return f"< +{step}" if points > 0 else f"> -{step}"
    return f"{points:+.{digits}f}"


def shown_pct(value: float, digits: int = 3) -> str:
    """A percentage as text, cut and never rounded up: 100 is only what is 100, and 0 what is 0."""
    if value == 100:
        return "100 %"
    step = Decimal(1).scaleb(-digits)
    exact = Decimal(repr(value))
    return f"< {step} %" if 0 < exact < step else f"{exact.quantize(step, ROUND_DOWN)} %"
