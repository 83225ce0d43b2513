"""Everything goes down at once: the alerter keeps every incident, soon, and is heard of meanwhile."""

from __future__ import annotations

from pathlib import Path

from benchmarks.alerter import outage
from tests.parts.brokers import Nats
from tests.parts.figures import Figures

SHORT, LONG = 500, 3000


def test_a_mass_of_targets_down_at_once_is_kept_and_told_without_a_pause(
    nats: Nats, tmp_path: Path, is_long: bool, figure: Figures
) -> None:
    found = outage(nats.url(), tmp_path / "alerter", LONG if is_long else SHORT)
    figure.at_most("mass_outage_kept_s", found.kept_s, 10)
    figure.at_most("mass_outage_silent_s", found.silent_s, 5)
