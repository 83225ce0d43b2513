"""How much room the history takes, and how long its disk will do."""

from __future__ import annotations

from noc_history.store import Store
from noc_web.api import answers
from noc_web.api.route import Ask, Route


def history_room(ask: Ask, store: Store) -> object:
    room = store.room()
    if room is None:
        return {"room": None}
    return {
        "room": {
            "size_bytes": room.size_bytes,
            "growth_bytes_a_day": round(room.growth_bytes_a_day),
            "disk_bytes": room.disk_bytes,
            "free_bytes": room.free_bytes,
            "used_pct": round(100 * room.used, 1),
            "is_tight": room.is_tight,
            "days_left": room.days_left,
        }
    }


ROUTES = (
    Route(
        "GET",
        "/history/room",
        "viewer",
        "The size of the history, what a day adds to it, and for how many days its disk will do.",
        history_room,
        answer=answers.HistoryRoom,
        work="history",
    ),
)
