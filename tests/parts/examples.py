"""How many examples hypothesis makes up where a test says it itself."""

from __future__ import annotations

from hypothesis import settings


def up_to(count: int) -> int:
    """`count`, and with `--quick` no more than all others get there."""
    is_quick = settings.get_current_profile_name() == "quick"
    return min(count, settings.get_profile("quick").max_examples) if is_quick else count
