"""Which stores there are, and how NOC_HISTORY_URL names one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, parse_qs, quote, unquote, urlsplit

from noc_frame.settings import Setting
from noc_history.store import Store

DEFAULT_KEEP_DAYS: Final = 30
FILE_NAME: Final = "history.sqlite"


@dataclass(frozen=True)
class HistoryUrl:
    """A store not opened yet. `keep_days`: raw cycles older than that are forgotten; states and incidents never."""

    keep_days: int
    described: str
    open: Callable[[], Store]
    """The store; it connects on first use, so that it need not be there yet."""


def parse(url: str) -> HistoryUrl | None:
    """Read a NOC_HISTORY_URL; None for an empty one. Raises ValueError with the reason."""
    if not url:
        return None
    parts = urlsplit(url)
    if parts.scheme not in _SCHEMES:
        raise ValueError(f"{parts.scheme or 'nothing'} is none of {', '.join(_SCHEMES)}")
    options = parse_qs(parts.query, strict_parsing=bool(parts.query))
    if unknown := set(options) - {"keep_days"}:
        raise ValueError(f"unknown option {min(unknown)}")
    keep_days = options.get("keep_days", [str(DEFAULT_KEEP_DAYS)])[0]
    if not keep_days.isdecimal() or not 1 <= int(keep_days) <= 36_500:
        raise ValueError(f"keep_days {keep_days[:20]} is not a number from 1 to 36500")
    described, open_store = _SCHEMES[parts.scheme](parts)
    return HistoryUrl(int(keep_days), described, open_store)


def in_folder(folder: Path) -> HistoryUrl:
    """The embedded store in a data folder: what an empty NOC_HISTORY_URL means."""
    found = parse(f"sqlite://{quote(str(folder.resolve() / FILE_NAME))}")
    assert found is not None
    return found


def _sqlite(parts: SplitResult) -> tuple[str, Callable[[], Store]]:
    from noc_history.sqlite import SqliteStore  # only the store in use is loaded

    if parts.netloc or len(parts.path) < 2:
        raise ValueError("it needs three slashes and the path of a file")
    path = Path(unquote(parts.path))
    return f"SQLite in {path}", lambda: SqliteStore(path)


def _influxdb(parts: SplitResult) -> tuple[str, Callable[[], Store]]:
    from noc_history.influxdb import InfluxStore  # its client takes half a second to load

    names = [unquote(name) for name in parts.path.split("/")[1:]]
    token = unquote(parts.username or "")
    if not parts.hostname or not token:
        raise ValueError("it needs a token before the @ and a host after it")
    if len(names) != 2 or not all(names):
        raise ValueError("it needs an organisation and a bucket")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    address = f"{'https' if parts.scheme == 'influxdbs' else 'http'}://{host}:{parts.port or 8086}"
    org, bucket = names
    return f"InfluxDB bucket {bucket} at {address}", lambda: InfluxStore(address, token, org, bucket)


_SCHEMES: Final[dict[str, Callable[[SplitResult], tuple[str, Callable[[], Store]]]]] = {
    "sqlite": _sqlite,
    "influxdb": _influxdb,
    "influxdbs": _influxdb,
}

HISTORY_URL: Final = Setting(
    "NOC_HISTORY_URL",
    parse,
    "sqlite:///path/of/history.sqlite, influxdb://token@host:8086/org/bucket or influxdbs://…, "
    "each also with ?keep_days=30",
    "where history is kept; empty: SQLite in NOC_DATA",
    default="",
    secret=True,
)
