"""Every topic against every user, on both brokers: publish, retained, last will, subscribe.

The topics come from the table of channels, the users from the accounts. What is expected is said here a second time,
from the table's writers and readers, so that a mistake of what renders permissions does not pass for right.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Final

import pytest

from noc_bus.broker import Broker
from noc_bus.channels import CHANNELS, TARGETS, Channel
from noc_bus.channels import SERVICES as SERVICES_CHANNEL
from noc_bus.channels import SITES as SITES_CHANNEL
from noc_bus.codec import encode
from noc_bus.messages import Message, ServicePresence, Site, Target
from noc_bus.session import Session
from noc_launcher.brokers import mosquitto, nats
from noc_web.broker.accounts import Arrangement, BrokerAccounts
from noc_web.broker.files import BrokerFiles
from noc_web.database.opening import Database
from tests.parts.brokers import arrange
from tests.parts.figures import Figures
from tests.parts.mqtt_wire import Wire
from tests.parts.ports import free_port, listens
from tests.parts.processes import Processes
from tests.parts.waiting import wait_until

ROOT: Final = "noc/v1"
SERVICES: Final = ("web", "recorder", "alerter")
SITES: Final = ("berlin", "madrid", "oslo")
BEFORE: Final = "oslo"
"""A site whose key was made by the version before."""
NOBODY: Final = "nobody"
"""Who gives no name."""
USERS: Final = (*SERVICES, *SITES, "reader", "grafana", NOBODY)
GRAFANA_READS: Final = "verdicts"
FOREIGN: Final = (
    "$SYS/broker/version",
    "$CONTROL/dynamic-security/v1",
    "$JS/API/INFO",
    "noc/v2/targets/a",
    "noc/v1",
    "x",
)
"""Topics of nobody's: no one writes them and no one reads them."""
LAST: Final = f"{ROOT}/targets/last"
# Whoever comes with the same name takes a connection over, and is made to wait.
_NUMBERS: Final = itertools.count()


@dataclass(frozen=True)
class Topic:
    """One topic of a channel, with the site or service in it, where there is one."""

    name: str
    channel: Channel[Message]
    of: str | None

    def is_written_by(self, user: str) -> bool:
        return self._role(user) in (*self.channel.writers, *self.channel.clearers) and self.of in (
            None,
            user,
            *self._any(user),
        )

    def is_read_by(self, user: str) -> bool:
        match user:
            case "reader" | "nobody":
                return True
            case "grafana":
                return self.channel.name == GRAFANA_READS
            case _ if user == BEFORE and "prober" in self.channel.former_readers:
                return True
            case _ if user in SITES:
                # Whatever else the table says: a site reads what has its name in it.
                return "prober" in self.channel.readers and self.of == user
            case _:
                return self._role(user) in self.channel.readers

    def _role(self, user: str) -> str:
        return "prober" if user in SITES else user

    def _any(self, user: str) -> tuple[str, ...]:
        """The web service writes to sites, and clears what deleted ones left; of services each writes its own."""
        return SITES if user in SERVICES else ()


def topics() -> list[Topic]:
    found = []
    for channel in CHANNELS:
        owner = next((name for name in channel.variables if name in ("site", "service")), None)
        for of in {"site": SITES, "service": SERVICES, None: (None,)}[owner]:
            given = {name: of if name == owner else "a" for name in channel.variables}
            found.append(Topic(f"{ROOT}/{channel.topic.format(**given)}", channel, of))
    return found


TOPICS: Final = topics()
NAMES: Final = (*(topic.name for topic in TOPICS), *FOREIGN)
WRITTEN: Final = {(user, topic.name) for user in USERS for topic in TOPICS if topic.is_written_by(user)}
READ: Final = {(user, topic.name) for user in USERS for topic in TOPICS if topic.is_read_by(user)}


@dataclass
class Running:
    port: int
    passwords: dict[str, str]

    def client(self, user: str, will: tuple[str, bytes] | None = None) -> Wire:
        name = None if user == NOBODY else user
        wire = Wire(self.port, name, self.passwords.get(user, ""), client_id=f"c-{next(_NUMBERS)}", will=will)
        assert wire.refused is None, user
        return wire

    def say_last(self) -> None:
        """After all that was sent on other connections and has been dealt with."""
        with self.client("web") as web:
            web.publish(LAST)
            web.ping()


@pytest.fixture(params=["nats", "mosquitto"], scope="module")
def broker(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    data = tmp_path_factory.mktemp(request.param)
    folder = data / "broker"
    folder.mkdir()
    passwords = {user: f"{user}-password" for user in (*SERVICES, *SITES, "reader")}
    arrange(data, Arrangement(str(folder), anonymous_read=True), passwords, [BEFORE])
    with closing(Database(data)) as database:
        accounts = BrokerAccounts(database)
        passwords["grafana"] = accounts.add_reader("grafana", [f"{GRAFANA_READS}/#"])
        BrokerFiles(accounts).write()
    port = free_port()
    command = {"nats": nats.prepare, "mosquitto": mosquitto.prepare}[request.param]
    with Processes(data / "logs") as processes:
        processes.start("broker", command(folder, port))
        wait_until(lambda: listens(port), 15, "a listening broker", seen=lambda: processes.logs)
        yield Running(port, passwords)


def heard_from(wire: Wire) -> set[tuple[str, str]]:
    """Who was heard on which topic. Brokers say things of their own, too."""
    return {
        (payload.decode(), topic)
        for topic, payload in wire.hear_until(LAST)
        if topic.startswith(ROOT) and topic != LAST
    }


@pytest.mark.parametrize("retain", [False, True], ids=["publish", "retained"])
def test_what_a_user_may_not_write_reaches_nobody(broker: Running, retain: bool, figure: Figures) -> None:
    with broker.client("reader") as reader:
        assert reader.subscribe(f"{ROOT}/#") == [True]
        for user in USERS:
            for name in NAMES:
                # A connection each: a broker may cut off who tries what is not allowed.
                with broker.client(user) as client:
                    client.publish(name, user.encode(), retain=retain)
                    try:
                        client.ping()
                    except ConnectionError:
                        continue
        broker.say_last()
        assert heard_from(reader) == WRITTEN
    if retain:
        # What is kept is of somebody who may, also where somebody else came later.
        with broker.client("reader") as later:
            later.subscribe(f"{ROOT}/#")
            broker.say_last()
            kept = heard_from(later)
        assert kept <= WRITTEN
        assert {topic for _, topic in kept} == {topic for _, topic in WRITTEN}
    figure.at_least("user_topic_pairs", len(USERS) * len(NAMES), len(USERS) * len(CHANNELS))


def test_a_last_will_reaches_nobody_where_its_user_may_not_write(broker: Running, figure: Figures) -> None:
    with broker.client("reader") as reader:
        reader.subscribe(f"{ROOT}/#")
        for name in (*NAMES, LAST):
            with broker.client("web") as web:
                # Of a broker that keeps it: what another test left is no will.
                web.publish(name, b"", retain=True)
        reader.heard.clear()
        # Those who may nothing come first: what they leave has had its time when the last one is heard.
        for user in reversed(USERS):
            for name in NAMES:
                broker.client(user, will=(name, user.encode())).vanish()
        wait_until(lambda: _wills(broker, reader) >= WRITTEN, 20, "every will that is right", seen=lambda: reader.heard)
        assert _wills(broker, reader) == WRITTEN
    figure.at_least("user_topic_pairs", len(USERS) * len(NAMES), len(USERS) * len(CHANNELS))


def _wills(broker: Running, reader: Wire) -> set[tuple[str, str]]:
    reader.heard = [(topic, payload) for topic, payload in reader.heard if topic != LAST]
    broker.say_last()
    return {pair for pair in heard_from(reader) if pair[0]}


def test_a_user_hears_what_it_may_read_and_nothing_else_whatever_it_asks_for(broker: Running, figure: Figures) -> None:
    wide = ("#", f"{ROOT}/#", "+/+/+/+", f"{ROOT}/+/+", f"{ROOT}/+/+/+", "$SYS/#", "$CONTROL/#", "$JS/#", "$MQTT/#")
    clients = {user: broker.client(user) for user in USERS}
    for client in clients.values():
        client.subscribe(*NAMES, LAST, *wide)
        client.heard.clear()
    for topic in TOPICS:
        writer = next(user for user in (*SITES, *SERVICES) if (user, topic.name) in WRITTEN)
        with broker.client(writer) as client:
            client.publish(topic.name, b"now")
            client.ping()
    broker.say_last()
    heard = set()
    for user, client in clients.items():
        # Its answer comes after all that was on its way to it.
        for _ in range(2):
            client.ping()
        heard |= {(user, topic) for topic, payload in client.heard if payload == b"now"}
        foreign = {topic for topic, _ in client.heard if not topic.startswith(f"{ROOT}/")}
        assert not foreign, user
        client.vanish()
    assert heard == READ
    figure.at_least("user_topic_pairs", len(USERS) * (len(NAMES) + len(wide)), len(USERS) * len(CHANNELS))


def test_both_tables_have_every_channel_and_no_user_is_all_powerful() -> None:
    assert {topic.channel.name for topic in TOPICS} == {channel.name for channel in CHANNELS}
    assert all(topic.is_written_by(user) is False for topic in TOPICS for user in ("reader", "grafana", NOBODY))
    assert {user for user, _ in WRITTEN} == {*SERVICES, *SITES}


def test_a_site_reads_nothing_that_has_not_its_name_in_it_and_one_of_before_what_it_could() -> None:
    for site in SITES:
        foreign = {topic for user, topic in READ if user == site and f"/{site}" not in topic}
        services = {f"{ROOT}/services/{service}" for service in SERVICES}
        assert foreign == ({f"{ROOT}/targets/a", *services} if site == BEFORE else set()), site


def test_a_prober_connects_where_it_may_not_read_what_the_version_before_let_it(broker: Running) -> None:
    heard: list[str] = []

    def hear(message: object, variables: dict[str, str]) -> None:
        heard.append(",".join(variables.values()))

    session = Session(Broker.parse(f"mqtt://berlin:{broker.passwords['berlin']}@127.0.0.1:{broker.port}"), "refused")
    session.subscribe(SITES_CHANNEL, hear, site="berlin")
    session.try_subscribe(TARGETS, hear)
    session.try_subscribe(SERVICES_CHANNEL, hear)
    session.start()
    try:
        wait_until(lambda: session.connected, 15, "a connection", seen=lambda: session.trouble)
        session.resubscribe(TARGETS)
        for topic, message in (
            ("targets/a", Target(id="a", name="A", address="192.0.2.1")),
            ("services/web", ServicePresence(service="web", online=True)),
            ("sites/berlin", Site(id="berlin", label="Berlin")),
        ):
            with broker.client("web") as client:
                client.publish(f"{ROOT}/{topic}", encode(message))
                client.ping()
        wait_until(lambda: heard, 15, "what is its own")
        assert (set(heard), session.connected, session.trouble) == ({"berlin"}, True, None)
    finally:
        session.stop()
