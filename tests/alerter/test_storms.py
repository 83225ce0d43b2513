"""Storms, as people get them: a real alerter on a real broker, with a real mail server and a real webhook receiver."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from noc_bus.messages import Contact, Member, NotificationRoute, State, Target
from tests.alerter.test_webhook import SECRET
from tests.alerter.world import World
from tests.parts.brokers import Broker
from tests.parts.figures import Figures
from tests.parts.processes import Processes
from tests.parts.smtp import Mail, SmtpSink
from tests.parts.waiting import holds_for, wait_until
from tests.parts.webhook import WebhookSink

SITES = ("north", "mid", "south", "west", "east")
CHILDREN = tuple(f"child-{number}" for number in range(200))
CHAIN = tuple(f"hop-{number}" for number in range(8))
OF_SITE = {site: tuple(f"{site}-{number}" for number in range(25)) for site in SITES[2:]}
WAIT_S = 8.0
# The change of who takes part is mailed once it has been quiet for 30 s; a site is blind after 60 s.
SETTLED_S = 60.0
BLIND_S = 90.0


@pytest.fixture(params=["mosquitto", pytest.param("nats", marks=pytest.mark.long_only)])
def broker(request: pytest.FixtureRequest) -> Broker:
    found: Broker = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def world(broker: Broker) -> Iterator[World]:
    with World(broker.url(), SITES) as world:
        router = Target(id="router", name="Router", address="192.0.2.1", group="core", sites=["north"])
        behind = [
            Target(id=one, name=one, address="192.0.2.2", parents=["router"], group=one, sites=["north"])
            for one in CHILDREN
        ]
        hops = [
            Target(id=one, name=one, address="192.0.2.3", parents=list(CHAIN[:place][-1:]), group=one, sites=["mid"])
            for place, one in enumerate(CHAIN)
        ]
        others = [
            Target(id=one, name=one, address="192.0.2.4", group=one, sites=[site])
            for site, names in OF_SITE.items()
            for one in names
        ]
        # Each of several storms within minutes is mailed by itself.
        world.have(*[replace(one, flap_after=None) for one in (router, *behind, *hops, *others)])
        yield world


@pytest.fixture
def hook() -> Iterator[WebhookSink]:
    with WebhookSink() as sink:
        yield sink


@pytest.fixture
def alerter(
    world: World,
    broker: Broker,
    smtp_sink: SmtpSink,
    hook: WebhookSink,
    noc_processes: Processes,
    tmp_path: Path,
) -> Processes:
    """Everything is mailed to one address, and posted to one receiver."""
    noc_processes.service(
        "alerter",
        {
            "NOC_MQTT_URL": broker.url(),
            "NOC_DATA": str(tmp_path / "data"),
            "NOC_SMTP_URL": smtp_sink.url,
            "NOC_MAIL_FROM": "noc@noc.test",
            "NOC_GROUP_WAIT_S": f"{WAIT_S:g}",
        },
    )
    desk = Contact(id="desk", name="Service desk", webhook_url=hook.url, webhook_secret=SECRET)
    world.settings(contacts=[desk], routes=[NotificationRoute(id="all", name="All", contacts=["desk", "ops@noc.test"])])
    world.wait_for("UP")
    return noc_processes


def storm(world: World, order: str) -> None:
    """The router fails, and its children with it, seen in this order."""
    draw = random.Random(order)
    falling = {
        "router first": ["router", *CHILDREN],
        "children first": [*CHILDREN, "router"],
        "mixed": draw.sample(["router", *CHILDREN], 201),
    }[order]
    for start in range(0, 201, 67):
        world.sees(State.DOWN, *falling[start : start + 67])
        time.sleep(0.4)


def counted(mails: list[Mail]) -> dict[str, int]:
    """How many mails there are by what stands in the brackets of their subjects, and about whom."""
    found: dict[str, int] = {}
    for mail in mails:
        state, _, about = mail.subject.removeprefix("Re: ").partition("] ")
        key = f"{state.lstrip('[').partition(' after ')[0]} {about.rpartition(' since ')[0].partition(' (')[0]}"
        found[key] = found.get(key, 0) + 1
    return found


@pytest.mark.timeout(900)
def test_whatever_fails_together_is_one_mail_and_one_message_of_each_thing_that_happened(
    world: World, alerter: Processes, smtp_sink: SmtpSink, hook: WebhookSink, is_long: bool, figure: Figures
) -> None:
    """A router with 200 children, a chain of eight, and probers that are unplugged, isolated and overloaded, all at once."""
    expected: dict[str, int] = {}
    for order in ("router first", "children first", "mixed") if is_long else ("mixed",):
        at_s = time.monotonic()
        storm(world, order)
        for site, trouble in (("south", "isolated"), ("west", "overloaded")):
            world.sees(State.DOWN, *OF_SITE[site])
            world.prober(site, **{trouble: True})
        world.prober("east", online=False)
        for name in random.Random(order).sample(CHAIN, len(CHAIN)):
            world.sees(State.DOWN, name)
        _add(expected, "DOWN Router and 200 more", "DOWN hop-0 and 7 more")
        wait_for(smtp_sink, expected["DOWN Router and 200 more"], "DOWN Router and 200 more")
        figure.at_most("first mail of the router (s)", round(time.monotonic() - at_s, 1), 30)
        wait_until(lambda: len(_members(world, "router")) == 200, 10, "the incident of the router")
        assert {one.behind for one in _members(world, "router")[1:]} == {"router"}
        world.sees(State.UP, "router", *CHILDREN[3:])
        _add(expected, "3 STILL DOWN Router and 200 more", *[f"BLIND site {site}" for site in OF_SITE])
        wait_until(lambda: counted(smtp_sink.mails) == expected, BLIND_S, f"{expected}", seen=says(smtp_sink))
        still = smtp_sink.about("3 STILL DOWN")[-1]
        for name in CHILDREN[:3]:
            assert f"- {name} " in still.text
        assert "198 of its targets are back" in still.text
        for site, names in OF_SITE.items():
            assert {str(world.verdicts[one].state) for one in names} == {"UNKNOWN"}, site
        # A prober that is well again has looked again before it says so.
        world.sees(State.UP)
        world.prober(*OF_SITE)
        _add(expected, "UP Router and 200 more", "UP hop-0 and 7 more", *[f"RECOVERED site {site}" for site in OF_SITE])
        wait_until(lambda: counted(smtp_sink.mails) == expected, SETTLED_S, f"{expected}", seen=says(smtp_sink))
        wait_until(lambda: world.incidents == {}, 10, "no incident open", seen=lambda: world.incidents)
    holds_for(lambda: counted(smtp_sink.mails) == expected, 2, "no mail more")
    posted = [json.loads(one.body) for one in hook.posted]
    assert len({one.headers["webhook-id"] for one in hook.posted}) == len(posted) == sum(expected.values())
    assert max(one["data"]["incident"]["total_members"] for one in posted) == 201
    ids = [mail.message_id for mail in smtp_sink.mails]
    figure.all_at_most(
        {
            "mail_lost": (sum(expected.values()) - len({*ids}), 0),
            "mail_dup": (len(ids) - len({*ids}), 0),
            "largest mail (kB)": (max(len(mail.message.as_bytes()) for mail in smtp_sink.mails) / 1000, 100),
        }
    )


def wait_for(sink: SmtpSink, count: int, what: str) -> None:
    wait_until(lambda: counted(sink.mails).get(what) == count, 30, f"{count} times {what}", seen=says(sink))


def _add(expected: dict[str, int], *whats: str) -> None:
    for what in whats:
        expected[what] = expected.get(what, 0) + 1


def _members(world: World, name: str) -> list[Member]:
    return next((one.members for one in world.incidents.values() if name in one.targets), [])


def says(sink: SmtpSink) -> Callable[[], object]:
    return lambda: counted(sink.mails)
