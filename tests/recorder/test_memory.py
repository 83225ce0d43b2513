"""The real recorder on the real broker: an hour of 1,000 targets at three sites, and a second one, take the same memory."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from benchmarks.recording import PASSWORDS, recorded
from tests.history.conftest import engine, url  # noqa: F401  # fixtures
from tests.parts import proc
from tests.parts.brokers import Nats
from tests.parts.figures import Figures

AN_HOUR = 3600 * 300


@pytest.mark.long_only
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("url", ["sqlite", "influxdb2"], indirect=True)
def test_a_second_hour_of_load_takes_no_more_memory_than_the_first(url: str, tmp_path: Path, figure: Figures) -> None:  # noqa: F811  # the fixture
    """300 cycles a second by their time stamps, as fast as the recorder takes them. What it needs most for is packing an
    hour that is over, whose cycles are then in memory by some series of many runs; what it keeps of each cycle would be
    hundreds of megabytes."""
    data = tmp_path / "data"
    data.mkdir()
    seen_mb: list[float] = []

    def watch(pid: int) -> None:
        seen_mb.append(proc.rss_mb(pid))
        time.sleep(1)

    with Nats(tmp_path / "broker", PASSWORDS) as broker:
        found = recorded(data, broker, 2 * AN_HOUR, url, watch)
    assert len(seen_mb) > 20
    quarter, half = len(seen_mb) // 4, len(seen_mb) // 2
    first_mb, second_mb = max(seen_mb[:half]), max(seen_mb[half:])
    figure.all_at_most(
        {
            "rss_started_mb": (round(seen_mb[0], 1), 300),
            "rss_half_an_hour_mb": (round(seen_mb[quarter], 1), 300),
            "rss_an_hour_mb": (round(seen_mb[half], 1), 300),
            "rss_hour_and_a_half_mb": (round(seen_mb[half + quarter], 1), 300),
            "rss_two_hours_mb": (round(seen_mb[-1], 1), 300),
            "rss_most_mb": (round(max(first_mb, second_mb), 1), 300),
            "rss_grown_mb": (round(second_mb - first_mb, 1), 30),
            "lost": (2 * AN_HOUR - found.stored, 0),
        }
    )
