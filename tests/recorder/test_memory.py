"""The real recorder on the real broker, an hour of 1,000 targets at three sites behind it: its memory stays as it is."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from benchmarks.recording import PASSWORDS, recorded
from tests.history.conftest import engine, url  # noqa: F401  # fixtures
from tests.parts.brokers import Nats
from tests.parts.figures import Figures

AN_HOUR = 3600 * 300


@pytest.mark.long_only
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("url", ["sqlite", "influxdb2"], indirect=True)
def test_an_hour_of_load_leaves_its_memory_as_it_was(url: str, tmp_path: Path, figure: Figures) -> None:  # noqa: F811  # the fixture
    """300 cycles a second by their time stamps, as fast as the recorder takes them."""
    data = tmp_path / "data"
    data.mkdir()
    seen_mb: list[float] = []

    def watch(pid: int) -> None:
        seen_mb.append(resident_mb(pid))
        time.sleep(1)

    with Nats(tmp_path / "broker", PASSWORDS) as broker:
        found = recorded(data, broker, AN_HOUR, url, watch)
    assert len(seen_mb) > 20
    quarter, half, end = seen_mb[len(seen_mb) // 4], seen_mb[len(seen_mb) // 2], seen_mb[-1]
    # What is on its way differs from second to second; what is kept of each cycle would be hundreds of megabytes.
    settled_mb, later_mb = max(seen_mb[: len(seen_mb) // 4]), max(seen_mb[len(seen_mb) * 3 // 4 :])
    figure.all_at_most(
        {
            "rss_first_mb": (round(seen_mb[0], 1), 250),
            "rss_quarter_mb": (round(quarter, 1), 250),
            "rss_half_mb": (round(half, 1), 250),
            "rss_end_mb": (round(end, 1), 250),
            "rss_grown_mb": (round(later_mb - settled_mb, 1), 20),
            "lost": (AN_HOUR - found.stored, 0),
        }
    )


def resident_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))
