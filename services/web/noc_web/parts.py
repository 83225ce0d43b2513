"""What the web service is made of, handed to whoever serves a request."""

from __future__ import annotations

from dataclasses import dataclass

from noc_bus.bus import Bus
from noc_history.store import Store
from noc_web.auth.accounts import Accounts
from noc_web.auth.guard import Guard
from noc_web.catalog.catalog import Catalog
from noc_web.config import Config
from noc_web.live.picture import Picture
from noc_web.live.requests import Requests
from noc_web.live.revision import Revisions
from noc_web.publisher import Publisher


@dataclass(frozen=True)
class Parts:
    config: Config
    bus: Bus
    accounts: Accounts
    guard: Guard
    catalog: Catalog
    publisher: Publisher
    picture: Picture
    revisions: Revisions
    requests: Requests
    store: Store
