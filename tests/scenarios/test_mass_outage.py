"""Everything goes down at once: the alerter keeps every incident, soon, and is heard of meanwhile."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.alerter import outage
from tests.parts.brokers import Nats
from tests.parts.figures import Figures

SHORT, LONG = 500, 10_000
# One recipient, five groups.
MAILS = 5


@pytest.mark.timeout(900)
def test_a_mass_of_targets_down_at_once_is_kept_and_told_without_a_pause(
    nats: Nats, tmp_path: Path, is_long: bool, figure: Figures
) -> None:
    found = outage(nats.url(), tmp_path / "alerter", LONG if is_long else SHORT, mailed_for_s=60 if is_long else 18)
    figure.all_at_most(
        {
            "mass_outage_kept_s": (round(found.kept_s, 1), 60 if is_long else 10),
            "mass_outage_silent_s": (round(found.silent_s, 1), 5),
            "mass_outage_first_mail_s": (round(found.first_mail_s, 1), 30),
            "mass_outage_mails": (found.mails, MAILS),
            "mass_outage_largest_mail_kb": (found.largest_kb, 100),
            "mass_outage_rss_mb": (round(found.rss_mb), 300),
        }
    )
    assert found.mails
