"""What a service's exit code says to whoever started it, beside 0 (stopped on request) and 1 (anything else)."""

from __future__ import annotations

from typing import Final

EXIT_SETTINGS: Final = 2
"""A setting is wrong: starting it again is no use before somebody has changed one."""
EXIT_RESTART: Final = 70
"""A vital part has ended: it is to be started again."""
