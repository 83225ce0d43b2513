"""What opening the ICMP sockets says where it cannot."""

from __future__ import annotations

import sys

import pytest

from noc_prober.sockets import NoIcmp, open_all


def test_another_system_than_linux_is_told_apart_from_a_missing_right(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(NoIcmp, match="which darwin has not: run the prober on Linux"):
        open_all()
