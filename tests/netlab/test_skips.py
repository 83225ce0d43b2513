"""In CI a skipped test is a failed one, but for what no machine of ours has."""

from __future__ import annotations

import pytest

from tests.conftest import refuse_skip


def _skipped(reason: str) -> pytest.TestReport:
    return pytest.TestReport("a::b", ("a.py", 1, "b"), {}, "skipped", ("a.py", 1, f"Skipped: {reason}"), "setup")


@pytest.mark.parametrize(
    ("mode", "reason", "outcome"),
    [
        ("fail", "needs Mosquitto on PATH", "failed"),
        ("fail", "needs Docker to build an image", "skipped"),
        ("fail", "needs a real InfluxDB 2: NOC_TEST_INFLUXDB_URL is not set", "skipped"),
        ("", "needs Mosquitto on PATH", "skipped"),
    ],
)
def test_a_skip_fails_only_where_it_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, mode: str, reason: str, outcome: str
) -> None:
    monkeypatch.setenv("NOC_TEST_SKIPS", mode)
    report = _skipped(reason)
    refuse_skip(report)
    assert report.outcome == outcome
    assert reason in str(report.longrepr)
