"""What the files are called in which a broker reads its accounts."""

from __future__ import annotations

from typing import Final

NATS: Final = "accounts.nats"
MOSQUITTO_USERS: Final = "mosquitto.users"
MOSQUITTO_ACL: Final = "mosquitto.acl"
REVISION: Final = "revision"
"""Written last, and only where another one differs: whoever runs the broker watches it."""
