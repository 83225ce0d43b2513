"""The table of channels names only readers that read, and all of them: brokers grant what it says."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from noc_bus.channels import CHANNELS, ROLES, Role
from noc_bus.fake import Hub
from noc_bus.messages import ProberPresence
from noc_prober.sockets import NoIcmp, open_all
from tests.alerter.conftest import Rig as Alerter
from tests.prober.conftest import Rig as Prober
from tests.recorder.conftest import Rig as Recorder
from tests.web.conftest import Service as Web


def read_by_the_alerter(folder: Path) -> list[str]:
    rig = Alerter(folder)
    rig.start()
    return rig.bus.filters


def read_by_the_recorder(folder: Path) -> list[str]:
    return Recorder(folder, Hub()).bus.filters


def read_by_the_web_service(folder: Path) -> list[str]:
    """While a page is open, and what a deleted site left is looked for."""
    web = Web(folder)
    web.start()
    web.picture.follow_results(True)
    web.others.publish(CHANNEL["probers"], ProberPresence(site="closed", online=False))
    web.let_pass(2)
    web.catalog.put_site("closed", {}, "test")
    web.catalog.delete_site("closed", "test")
    web.let_pass(5)
    return web.bus.filters


def read_by_the_prober(folder: Path) -> list[str]:
    """Of a NOC that says what is assigned to it; what one of before is asked for: tests/prober/test_targets.py."""
    try:
        for own in open_all().values():
            own.close()
    except NoIcmp as error:
        pytest.skip(f"no ICMP here: {error}")
    rig = Prober(folder)
    found: list[str] = []

    async def look() -> None:
        assert rig.wire
        found.extend(rig.wire.filters)

    rig.run(look)
    return found


CHANNEL = {channel.name: channel for channel in CHANNELS}
READ_BY = {
    "web": read_by_the_web_service,
    "prober": read_by_the_prober,
    "recorder": read_by_the_recorder,
    "alerter": read_by_the_alerter,
}


@pytest.mark.parametrize("role", ROLES)
def test_a_service_reads_what_the_table_says(role: Role, tmp_path: Path) -> None:
    assert _channels(READ_BY[role](tmp_path)) == {channel.name for channel in CHANNELS if role in channel.readers}


def _channels(filters: Iterable[str]) -> set[str]:
    words = {channel.topic.partition("/")[0]: channel.name for channel in CHANNELS}
    return {words[one.removeprefix("noc/v1/").partition("/")[0]] for one in filters}
