"""NOC_HISTORY_URL: which store it names, and the sentence for one that names none."""

from __future__ import annotations

from pathlib import Path

import pytest

from noc_frame.settings import SettingError
from noc_history.stores import HISTORY_URL, in_folder, parse


@pytest.mark.parametrize(
    ("url", "described", "keep_days"),
    [
        ("sqlite:///var/lib/noc/history.sqlite", "SQLite in /var/lib/noc/history.sqlite", None),
        ("sqlite:///a%20b/h%3F.sqlite?keep_days=365", "SQLite in /a b/h?.sqlite", 365),
        ("sqlite:///h.sqlite?keep_days=7&keep_5min_days=30&keep_hourly_days=400", "SQLite in /h.sqlite", 7),
        ("influxdb://t%2Fk@host/org/bucket", "InfluxDB bucket bucket at http://host:8086", None),
        ("influxdbs://t@host:443/my%20org/b", "InfluxDB bucket b at https://host:443", None),
        ("influxdb://t@[::1]:9/o/b?keep_days=1", "InfluxDB bucket b at http://[::1]:9", 1),
    ],
)
def test_a_history_url_is_read(url: str, described: str, keep_days: int | None) -> None:
    found = parse(url)
    assert found is not None
    assert (found.described, found.keep_days) == (described, keep_days)


@pytest.mark.parametrize(
    "url",
    [
        "/var/lib/noc/history.sqlite",
        "postgres://hunter2@host/db",
        "sqlite://",
        "sqlite://relative.sqlite",
        "sqlite:///a?keep=30",
        "sqlite:///a?keep_days=0",
        "sqlite:///a?keep_days=ever",
        "sqlite:///a?keep_days=36501",
        "sqlite:///a?keep_days=30&keep_5min_days=29",
        "sqlite:///a?max_gb=0",
        "sqlite:///a?max_gb=1e3",
        "influxdb://t@h/o/b?max_gb=5",
        "sqlite:///a?keep_5min_days=90&keep_hourly_days=30",
        "influxdb://hunter2@host/org/bucket?keep_days=30&keep_5min_days=29",
        "influxdb://host/org/bucket",
        "influxdb://hunter2@host/bucket",
        "influxdb://hunter2@host/org/",
        "influxdb://hunter2@/org/bucket",
        "influxdb://hunter2@host:port/org/bucket",
    ],
)
def test_a_bad_history_url_is_refused_without_showing_its_token(url: str) -> None:
    with pytest.raises(SettingError, match=r"^NOC_HISTORY_URL: .* use sqlite:///path") as refusal:
        HISTORY_URL.read({"NOC_HISTORY_URL": url})
    assert "hunter2" not in str(refusal.value)


def test_an_empty_one_means_a_file_in_the_data_folder(tmp_path: Path) -> None:
    odd = tmp_path / "what? 100%#"
    assert HISTORY_URL.read({}) is None
    assert in_folder(odd).described == f"SQLite in {odd / 'history.sqlite'}"
