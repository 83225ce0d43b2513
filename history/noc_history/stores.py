"""Which stores there are, and how NOC_HISTORY_URL names one."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import SplitResult, parse_qs, quote, unquote, urlsplit

from noc_frame.settings import Setting
from noc_history.store import KEEP_5MIN_DAYS, KEEP_HOURLY_DAYS, Store

FILE_NAME: Final = "history.sqlite"


class Open(Protocol):
    def __call__(self, read_s: float | None = None) -> Store:
        """The store; it connects on first use, so that it need not be there yet.

        `read_s`: how long SQLite may take for one answer, for who must not wait longer.
        """


@dataclass(frozen=True)
class HistoryUrl:
    """A store not opened yet.

    `keep_days`: raw cycles older than that are forgotten; None: so long as the store itself has it. States
    and incidents are kept for good.
    """

    keep_days: int | None
    described: str
    open: Open


def parse(url: str) -> HistoryUrl | None:
    """Read a NOC_HISTORY_URL; None for an empty one. Raises ValueError with the reason."""
    if not url:
        return None
    parts = urlsplit(url)
    if parts.scheme not in _SCHEMES:
        raise ValueError(f"{parts.scheme or 'nothing'} is none of {', '.join(_SCHEMES)}")
    options = parse_qs(parts.query, strict_parsing=bool(parts.query))
    names, open_with = _SCHEMES[parts.scheme]
    if unknown := set(options) - set(names):
        raise ValueError(f"unknown option {min(unknown)}")
    keep = {name: _days(name, values[0]) for name, values in options.items() if name in _KEEP}
    for shorter, longer in pairwise(name for name in names if name in keep):
        if keep[shorter] > keep[longer]:
            raise ValueError(f"{longer} {keep[longer]} is less than {shorter} {keep[shorter]}")
    max_bytes = _bytes(_MAX_GB, options[_MAX_GB][0]) if _MAX_GB in options else None
    described, open_store = open_with(parts, keep, max_bytes)
    return HistoryUrl(keep.get("keep_days"), described, open_store)


def _days(name: str, text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text[:9]) <= 36_500:
        raise ValueError(f"{name} {text[:20]} is not a number from 1 to 36500")
    return int(text)


def _bytes(name: str, text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,3})?", text) or not 0.1 <= float(text) <= 100_000:
        raise ValueError(f"{name} {text[:20]} is not a number of gigabytes from 0.1 to 100000")
    return round(float(text) * 1e9)


def in_folder(folder: Path) -> HistoryUrl:
    """The embedded store in a data folder: what an empty NOC_HISTORY_URL means."""
    found = parse(f"sqlite://{quote(str(folder.resolve() / FILE_NAME))}")
    assert found is not None
    return found


def _sqlite(parts: SplitResult, keep: Mapping[str, int], max_bytes: int | None) -> tuple[str, Open]:
    from noc_history.sqlite import SqliteStore  # only the store in use is loaded

    if parts.netloc or len(parts.path) < 2:
        raise ValueError("it needs three slashes and the path of a file")
    path = Path(unquote(parts.path))
    fives, hours = _kept(keep)
    days = keep.get("keep_days")
    return f"SQLite in {path}", lambda read_s=None: SqliteStore(
        path, keep_days=days, keep_5min_days=fives, keep_hourly_days=hours, max_bytes=max_bytes, read_s=read_s
    )


def _kept(keep: Mapping[str, int]) -> tuple[int, int]:
    """For how many days sums over five minutes and over hours are: never shorter than what is finer."""
    fives = keep.get("keep_5min_days", max(KEEP_5MIN_DAYS, keep.get("keep_days", 0)))
    return fives, keep.get("keep_hourly_days", max(KEEP_HOURLY_DAYS, fives))


def _influxdb(parts: SplitResult, keep: Mapping[str, int], max_bytes: int | None) -> tuple[str, Open]:
    from noc_history.influxdb import InfluxStore  # its client takes half a second to load

    names = [unquote(name) for name in parts.path.split("/")[1:]]
    token, password = unquote(parts.username or ""), unquote(parts.password or "")
    if not parts.hostname or not token:
        raise ValueError("it needs a token, or user:password, before the @ and a host after it")
    if len(names) != 2 or not all(names):
        raise ValueError("it needs an organisation and a bucket")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    address = f"{'https' if parts.scheme == 'influxdbs' else 'http'}://{host}:{parts.port or 8086}"
    org, bucket = names
    fives, hours = _kept(keep)
    return f"InfluxDB bucket {bucket} at {address}", lambda read_s=None: InfluxStore(
        address, token, org, bucket, password=password, keep_5min_days=fives, keep_hourly_days=hours
    )


_Opener = Callable[[SplitResult, Mapping[str, int], int | None], tuple[str, Open]]
# Each with the options it takes, from what is kept for the shortest time to the longest.
_KEEP: Final = ("keep_days", "keep_5min_days", "keep_hourly_days")
# How much disk a server takes is for the server to know.
_MAX_GB: Final = "max_gb"
_SCHEMES: Final[Mapping[str, tuple[Sequence[str], _Opener]]] = {
    "sqlite": ((*_KEEP, _MAX_GB), _sqlite),
    "influxdb": (_KEEP, _influxdb),
    "influxdbs": (_KEEP, _influxdb),
}

HISTORY_URL: Final = Setting(
    "NOC_HISTORY_URL",
    parse,
    "sqlite:///path/of/history.sqlite, influxdb://token@host:8086/org/bucket or influxdbs://…, "
    "each also with ?keep_days=14&keep_5min_days=90&keep_hourly_days=1826, the first with &max_gb=50",
    "where history is kept; empty: SQLite in NOC_DATA",
    default="",
    secret=True,
)
