"""An alerter that dies again and again, and hears everything twice and late, tells the same as one that does not."""

from __future__ import annotations

import random
import re
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pytest
from msgspec.structs import replace

from noc_bus.channels import ACKNOWLEDGEMENTS, LATE_OUTAGES
from noc_bus.messages import Acknowledgement, Incident, LateOutages, Member, State, Target, VerdictState
from noc_bus.time import Time
from noc_rules.incident import incident_id
from tests.alerter.world import World
from tests.parts.brokers import Mosquitto
from tests.parts.figures import Figures
from tests.parts.processes import Processes
from tests.parts.smtp import SmtpSink
from tests.parts.waiting import wait_until

STEPS: Final = (
    "write incidents to:before",
    "write incidents to:after",
    "note a mail in:before",
    "note a mail in:after",
    "take the lease in:before",
    "take the lease in:after",
    "renew the lease in:before",
    "renew the lease in:after",
    "note what was seen in:before",
    "note what was seen in:after",
    "tidy:after",
    "open:after",
    "write late incidents to:before",
    "write late incidents to:after",
)
"""Every durable step that these stories reach; one that notes a mail before its commit has mailed it already."""
OFTEN: Final = STEPS[:4]
HOUSES: Final = 4
ROUTER: Final = "router"
CHILDREN: Final = tuple(f"child-{number}" for number in range(6))
SINGLES: Final = tuple(f"house-{number}" for number in range(HOUSES))
MAILS_A_ROUND: Final = 2 * (HOUSES + 1) + 1
PATIENCE_S: Final = 150.0
"""A disk that others keep busy may hold up a start for a minute."""


def deaths(count: int, draw: random.Random) -> list[str]:
    """So many steps at which it dies: each kind at least once where there are enough, the most durable ones more often."""
    steps = list(STEPS)[:count] + [draw.choice(OFTEN) for _ in range(count - len(STEPS))]
    draw.shuffle(steps)
    return [
        f"{one}:{draw.randint(1, 4 if one in OFTEN else 2)}" if one in (*OFTEN, *STEPS[6:8]) else one for one in steps
    ]


class Story:
    """Outages of a router with what is behind it, and of houses that have nothing in common with anybody."""

    def __init__(self, world: World, mails: SmtpSink) -> None:
        self.world = world
        self.mails = mails
        self.rounds = 0
        self.began = Time.now()
        self._define()

    def _define(self) -> None:
        # No more than sixty mails an hour go to one recipient.
        contacts = [f"ops-{self.rounds // 5}@noc.test"]
        router = Target(id=ROUTER, name="Router", address="192.0.2.1", group="core")
        behind = [Target(id=one, name=one, address="192.0.2.2", group="core", parents=[ROUTER]) for one in CHILDREN]
        houses = [Target(id=one, name=one, address="192.0.2.3", group=one) for one in SINGLES]
        self.world.have(*[replace(one, contacts=contacts, flap_after=None) for one in (router, *behind, *houses)])

    def play(self) -> None:
        """One round: all go down in some order, one is acknowledged, all come back."""
        draw = random.Random(self.rounds)
        self._define()
        self.rounds += 1
        everybody = [ROUTER, *CHILDREN, *SINGLES]
        self.world.sees(State.DOWN, *draw.sample(everybody, len(everybody)))
        self._wait_for_mails(HOUSES + 1)
        wait_until(lambda: len(self.world.incidents) == HOUSES + 1, PATIENCE_S, "its incidents", seen=self.seen)
        house = draw.choice(SINGLES)
        one = next(found for found in self.world.incidents.values() if found.targets == [house])
        self.world.session.publish(ACKNOWLEDGEMENTS, Acknowledgement(incident=one.id, by="ada", at=Time.now()))
        wait_until(
            lambda: getattr(self.world.incidents.get(one.id), "acknowledged", None),
            PATIENCE_S,
            "the acknowledgement",
            seen=self.seen,
        )
        self.world.sees(State.UP, *draw.sample(everybody, len(everybody)))
        self._find_late()
        self._wait_for_mails(MAILS_A_ROUND)
        wait_until(lambda: not self.world.incidents, PATIENCE_S, "no incident open", seen=self.seen)

    def _find_late(self) -> None:
        """What a recorder says, until it is answered: of a house that was DOWN some hours ago."""
        name, start = SINGLES[0], Time(self.began - self.rounds * 1_200_000)
        end = Time(start + 300_000)
        member = Member(target=name, name=name, joined_at=start, left_at=end, state=VerdictState.DOWN)
        one = Incident(
            id=incident_id(name, start), kind="target-down", targets=[name], members=[member], total_members=1,
            open_members=0, opened_at=start, resolved_at=end, cause="DOWN", severity="major", found_at=self.began,
        )  # fmt: skip
        said = LateOutages(
            finding=f"late-{self.rounds}", part=1, parts=1, at=self.began, sites=["north"], incidents=[one]
        )

        def is_taken() -> bool:
            self.world.session.publish(LATE_OUTAGES, said)
            time.sleep(0.5)
            return said.finding in self.world.answered

        wait_until(is_taken, PATIENCE_S, "what was found late", seen=self.seen)

    def told(self) -> Counter[tuple[str, ...]]:
        """What all incidents were, without their moments."""
        return Counter(
            (one.kind, str(one.code), str(one.acknowledged and one.acknowledged.by), *sorted(one.targets))
            for one in self.world.ended.values()
        )

    def mailed(self) -> Counter[str]:
        """What each mail said of whom, those with the same Message-ID once.

        Not with how many, nor from where: one that was held up tells as many as had spoken by then. So an outage may be
        over with PARTIAL, where it was killed between the words of two sites.
        """
        different = {mail.message_id: mail for mail in list(self.mails.mails)}
        return Counter(
            re.sub(r"(?<=\[)(UP|PARTIAL) after [^\]]*| and \d+ more.*|( \([^)]*\))? since .*", "", mail.subject)
            for mail in different.values()
        )

    def seen(self) -> object:
        return self.mailed(), self.world.incidents.keys()

    def _wait_for_mails(self, count: int) -> None:
        wanted = MAILS_A_ROUND * (self.rounds - 1) + count
        wait_until(lambda: self.mailed().total() >= wanted, PATIENCE_S, f"{wanted} mails", seen=self.seen)


@pytest.mark.timeout(3600)
def test_killed_at_every_durable_step_and_told_everything_twice_it_tells_the_same(
    mosquitto: Mosquitto, noc_processes: Processes, tmp_path: Path, is_long: bool, figure: Figures
) -> None:
    """Three in ten messages of sites come twice and late."""
    kills, seed = (200, 11) if is_long else (10, 12)
    draw = random.Random(seed)
    noisy = played(mosquitto.url(), noc_processes, tmp_path / "noisy", deaths(kills, draw), draw)
    clean = played(mosquitto.url(), noc_processes, tmp_path / "clean", [], None, rounds=noisy.rounds)
    differing = (noisy.told() - clean.told()) + (clean.told() - noisy.told())
    print(differing, clean.mailed() - noisy.mailed(), noisy.mailed() - clean.mailed())
    ids = [mail.message_id for mail in noisy.mails.mails]
    figure.all_at_most(
        {
            "incidents that differ": (differing.total(), 0),
            "mail_lost": ((clean.mailed() - noisy.mailed()).total(), 0),
            "mails too many": ((noisy.mailed() - clean.mailed()).total(), 0),
            "mail_dup": (len(ids) - len({*ids}), kills),
        }
    )


def played(
    url: str,
    processes: Processes,
    folder: Path,
    steps: Sequence[str],
    noise: random.Random | None,
    rounds: int = 1,
) -> Story:
    """What came of so many rounds, or of as many as it takes until it has died at all of these steps."""
    folder.mkdir()
    listed = folder / "steps"
    listed.write_text("\n".join(steps))
    died = listed.with_suffix(".deaths")
    with World(url, noise=noise) as world, SmtpSink() as mails:
        story = Story(world, mails)
        settings = {
            "NOC_MQTT_URL": url,
            "NOC_DATA": str(folder),
            "NOC_SMTP_URL": mails.url,
            "NOC_MAIL_FROM": "noc@noc.test",
            "NOC_GROUP_WAIT_S": "1",
        }
        processes.start(folder.name, [sys.executable, "-m", "tests.alerter.crashing", listed], settings)
        world.wait_for("UP")
        while story.rounds < rounds or int(died.read_text() or 0) < len(steps):
            assert processes.is_running(folder.name), processes.log(folder.name)
            story.play()
        assert processes.stop(folder.name)[0] == 0
    return story
