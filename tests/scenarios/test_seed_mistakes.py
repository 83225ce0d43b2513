"""The mistakes of the script this all began with stay out."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator

import pytest

from noc_netlab.lab import Netlab
from tests.parts.smtp import SmtpSink
from tests.parts.waiting import holds_for, wait_until
from tests.scenarios.whole import Noc

HOSTS = {"answers": "10.99.0.1", "silent": "10.99.0.2", "lossy": "10.99.0.3"}


@pytest.fixture(scope="module")
def mixed(internet: Netlab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Noc]:
    """Three targets: one that answers after 10 ms, one that never does, one that loses every second echo."""
    internet.behave()
    internet.behave("10.99.0.2", silent=True)
    internet.behave("10.99.0.3", loss_pct=50)
    with SmtpSink() as mails, Noc(tmp_path_factory.mktemp("mixed"), mails) as noc:
        for name, address in HOSTS.items():
            noc.add(name, address, interval_s=1, packets=5, packet_gap_ms=20, timeout_ms=300)
        noc.wait_states({"answers": "UP", "silent": "DOWN", "lossy": "DEGRADED"}, 40)
        yield noc


def test_an_answer_has_its_real_time_and_an_unanswered_echo_has_none(mixed: Noc) -> None:
    answered, unanswered, lossy = (mixed.cycles(name) for name in HOSTS)
    for _, least_ms, mean_ms, most_ms, loss_pct, _, invalid, *_ in answered:
        assert invalid or (10 <= least_ms <= mean_ms <= most_ms and loss_pct == 0)
    for _, *rtts_ms, loss_pct, _, invalid in (row[:7] for row in unanswered):
        assert invalid or (rtts_ms == [None, None, None] and loss_pct == 100)
    assert {row[4] for row in lossy} - {0, 100, None}


def test_history_outlives_the_browser_and_the_web_service(mixed: Noc) -> None:
    before = mixed.cycles("answers")
    killed_ms = time.time() * 1000
    mixed.processes.kill("web")
    wait_until(lambda: time.time() * 1000 > killed_ms + 4000, 10, "four seconds without anybody watching")
    mixed.processes.restart("web")
    restarted_ms = time.time() * 1000
    wait_until(mixed.is_ready, 15, "the web service again")
    wait_until(mixed.is_whole, 15, "the table again")
    after = mixed.cycles("answers")
    assert after[: len(before)] == before
    unwatched = [row for row in after if killed_ms < row[0] < restarted_ms]
    assert len(unwatched) >= 3


def test_uptime_is_added_up_and_its_parts_are_the_time_since_a_target_was_first_asked(mixed: Noc) -> None:
    # The verdict is known a moment before the state it rests on is stored.
    wait_until(
        lambda: _uptime_pct(mixed, "silent") == 0, 20, "the outage is stored", seen=lambda: mixed.get("reports/uptime")
    )
    report = mixed.get("reports/uptime")
    rows = {row["target"]: row for row in report["rows"]}
    period_s = 7 * 24 * 3600
    for name, row in rows.items():
        drawn = mixed.get(f"targets/{name}/states")["overall"]
        assert sum(row["seconds"].values()) == pytest.approx(sum(one["seconds"] for one in drawn), abs=5)
        measured_s = sum(row["seconds"][state] for state in ("UP", "DEGRADED", "PARTIAL", "DOWN", "UNREACHABLE"))
        assert row["coverage_pct"] == pytest.approx(100 * measured_s / period_s)
    assert rows["answers"]["uptime_pct"] == 100
    assert rows["silent"]["outages"] == 1
    assert rows["silent"]["downtime_s"] == pytest.approx(rows["silent"]["seconds"]["DOWN"])
    assert rows["lossy"]["uptime_pct"] == 100
    measured_s = sum(row["seconds"][state] for row in rows.values() for state in ("UP", "DEGRADED", "DOWN"))
    up_s = sum(row["seconds"][state] for row in rows.values() for state in ("UP", "DEGRADED"))
    assert report["total"]["uptime_pct"] == pytest.approx(100 * up_s / measured_s)


def _uptime_pct(noc: Noc, target: str) -> float | None:
    found: dict[str, float | None] = {row["target"]: row["uptime_pct"] for row in noc.get("reports/uptime")["rows"]}
    return found[target]


def test_up_and_down_and_all_others_add_up_to_total(mixed: Noc) -> None:
    def adds_up() -> bool:
        kpis = mixed.get("status")["kpis"]
        return bool(kpis["total"] == 3 == sum(kpis.values()) - kpis["total"])

    assert mixed.get("status")["kpis"] | {"up": 1, "down": 1, "degraded": 1} == mixed.get("status")["kpis"]
    mixed.ask("DELETE", "targets/lossy")
    mixed.add("lossy", HOSTS["lossy"])
    holds_for(adds_up, 3, "the tiles add up")


def test_no_ping_runs_longer_than_its_cycle_and_none_after_its_target_is_gone(mixed: Noc, internet: Netlab) -> None:
    first, *in_turn = [row[0] for row in mixed.cycles("silent")]
    # The first is out of turn; the next waits at least half an interval for its turn.
    assert in_turn[0] - first >= 450
    assert all(later - earlier >= 900 for earlier, later in itertools.pairwise(in_turn))
    assert mixed.ask("DELETE", "targets/silent")[0] == 204
    gone_ms = time.time() * 1000
    wait_until(lambda: "silent" not in mixed.states(), 5, "the row is gone")
    # A cycle and a re-check that had begun may still end.
    wait_until(lambda: time.time() * 1000 > gone_ms + 4000, 10, "four seconds more")
    assert not list(internet.seen("10.99.0.2", since_ms=gone_ms + 2000))
    assert list(internet.seen("10.99.0.1", since_ms=gone_ms + 2000))
