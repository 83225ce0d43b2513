"""Further sites as the README has it, word for word: networks with nothing in common but the token."""

from __future__ import annotations

import contextlib
import functools
import json
import re
import sqlite3
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, Self
from urllib.parse import urlsplit

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from noc_bus import join
from noc_bus.join import Join
from noc_netlab.firewall import Firewall
from noc_netlab.namespace import NoNamespace
from noc_netlab.site import Site
from noc_web.auth.accounts import Accounts
from noc_web.database.opening import Database
from tests.launcher.conftest import Stranger
from tests.parts.figures import Figures
from tests.parts.ports import free_port
from tests.parts.processes import Processes
from tests.parts.slow_line import SlowLine
from tests.parts.up import clean_environment
from tests.parts.waiting import wait_until

README: Final = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
SECTION: Final = README.partition("## A second site in one line\n")[2].partition("\n## ")[0]
# Of the README: what is typed where the NOC runs, and what at the site.
(UP, ADD), (JOIN,) = (block.split("\n") for block in re.findall(r"```\n(.*?)\n```", SECTION, re.DOTALL))
START_S: Final = 60.0
# Of a busy machine; who has what they wait for waits no longer.
SEEN_S: Final = 60.0


def words(line: str) -> list[str]:
    """A line of the README or of the command itself, run in this checkout's environment."""
    program, *others = line.split()
    assert program == "./noc"
    return [sys.executable, "-P", "-m", "noc_launcher", *others]


class Middle:
    """A context manager: what the first line of the README starts, and everything that is done there."""

    def __init__(self, folder: Path, broker: str) -> None:
        self.data = folder / "middle"
        self.address = f"http://127.0.0.1:{(port := free_port())}"
        self.mqtt_port = free_port()
        self.environment = clean_environment(folder) | {"NOC_DATA": str(self.data), "NOC_HTTP_PORT": str(port)}
        self.processes = Processes(folder / "logs")
        self._up = [*words(UP), "--site", "here", "--broker", broker, "--mqtt-port", str(self.mqtt_port)]

    def __enter__(self) -> Self:
        self.processes.start("up", self._up, self.environment)
        wait_until(lambda: "NOC is ready" in self.processes.log("up"), START_S, "a NOC", seen=lambda: self.logs)
        with closing(Database(self.data)) as database:
            self._token = Accounts(database).create_token("test", "admin")
        return self

    def __exit__(self, *_: object) -> None:
        self.processes.__exit__()

    @property
    def logs(self) -> dict[str, str]:
        return self.processes.logs

    def noc(self, line: str) -> str:
        """The standard output of a command that works."""
        done = subprocess.run(
            words(line), env=self.environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def token(self, site: str, *words: str) -> str:
        """That of a new site."""
        key: dict[str, str] = json.loads(self.noc(f"./noc site add {site} --json {' '.join(words)}"))
        return key["join"]

    def site(self, name: str) -> dict[str, Any]:
        """Its row on the Sites page; empty where there is none."""
        headers = {"Authorization": f"Bearer {self._token}"}
        request = urllib.request.Request(f"{self.address}/api/v1/sites", headers=headers)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return next((row for row in json.load(answer)["sites"] if row["id"] == name), {})


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """On the bundled broker; with --long on Mosquitto too."""
    if "broker" in metafunc.fixturenames:
        metafunc.parametrize("broker", ["nats", *(["mosquitto"] if metafunc.config.getoption("--long") else [])])


@pytest.fixture
def middle(broker: str, own_network: None, tmp_path: Path) -> Iterator[Middle]:
    with Middle(tmp_path, broker) as running:
        yield running


# Behind NAT, the middle sees this address, which is nobody's.
OUTSIDE: Final = "10.98.2.77"
ONE_WAY_S: Final = 0.15
LOSS_PCT: Final = 5


@dataclass
class Networks:
    """Each of them a namespace of its own: rome is behind NAT, oslo far away on a line that loses."""

    paris: Site
    rome: Site
    oslo: Site


@pytest.fixture
def networks(own_network: None) -> Iterator[Networks]:
    with contextlib.ExitStack() as opened:
        try:
            made = Networks(*(opened.enter_context(Site(number)) for number in (1, 2, 3)))
        except NoNamespace as error:
            pytest.skip(f"needs nested network namespaces: {error}")
        yield made


@pytest.fixture
def firewall(networks: Networks) -> Iterator[Firewall]:
    own = Firewall()
    yield own
    own.close()


@pytest.fixture
def slow_line(networks: Networks, middle: Middle, firewall: Firewall) -> Iterator[SlowLine]:
    (url, *_) = join.parse(middle.token("probe")).urls
    middle.noc("./noc site remove probe")
    with SlowLine(networks.oslo.gateway, urlsplit(url).port or 0, ONE_WAY_S) as line:
        firewall.lose(networks.oslo.address, line.port, LOSS_PCT)
        yield line


def test_a_site_in_one_line_is_worth_its_own_results_and_nothing_more(
    networks: Networks, middle: Middle, firewall: Firewall, slow_line: SlowLine, tmp_path: Path, figure: Figures
) -> None:
    paris = networks.paris
    # A NOC that is set up and a site that is not even thought of; then the words of the README.
    line, *_ = middle.noc(ADD).splitlines()
    assert line.startswith(JOIN.replace("TOKEN", ""))
    started_s = time.monotonic()
    middle.processes.start("paris", paris.inside(*words(line)), clean_environment(tmp_path) | at(tmp_path / "site"))
    wait_until(lambda: middle.site("paris").get("online"), SEEN_S, "paris on screen", seen=lambda: middle.logs)
    figure.at_most("on_screen_s", time.monotonic() - started_s, SEEN_S)
    listed = functools.partial(middle.noc, "./noc site list")
    wait_until(lambda: "paris                 first used" in listed(), SEEN_S, "the use of the token", seen=listed)

    firewall.translate(networks.rome.address, OUTSIDE)
    far = f"{networks.oslo.gateway}:{slow_line.port}"
    for name, site, token in (
        ("rome", networks.rome, middle.token("rome")),
        ("oslo", networks.oslo, middle.token("oslo", "--address", far)),
    ):
        environment = clean_environment(tmp_path) | at(tmp_path / name) | {"NOC_JOIN": token}
        middle.processes.start(name, site.inside(*words("./noc prober")), environment)
    for name in ("rome", "oslo"):
        wait_until(lambda: middle.site(name).get("online"), SEEN_S, f"{name} on screen", seen=lambda: middle.logs)  # noqa: B023
    peers = subprocess.run(["ss", "-Htn"], capture_output=True, text=True, check=True).stdout
    assert (OUTSIDE in peers, networks.rome.address in peers) == (True, False), "rome is behind its NAT"

    _see_only_their_own(middle, tmp_path)
    _forge(join.parse(line.split()[-1]), middle.mqtt_port)

    started_s = time.monotonic()
    middle.noc("./noc site disable paris")
    wait_until(lambda: "was lost" in middle.processes.log("paris"), SEEN_S, "the cut", seen=lambda: middle.logs)
    figure.at_most("revoked_s", time.monotonic() - started_s, SEEN_S)
    refusal = "the token of the site paris was replaced, disabled or removed there, for it has not expired: get another"
    wait_until(lambda: refusal in middle.processes.log("paris"), SEEN_S, "a sentence", seen=lambda: middle.logs)
    middle.processes.stop("paris")

    # Another token for it: the one before is worth nothing, the new one all that the old one was.
    middle.noc("./noc site enable paris")
    key = json.loads(middle.noc("./noc site rotate paris --json"))
    assert key["site"] == "paris"
    # The broker reads its accounts again a moment after the command has ended.
    wait_until(lambda: refused(join.parse(line.split()[-1])), SEEN_S, "a refusal of the token before")
    environment = clean_environment(tmp_path) | at(tmp_path / "site") | {"NOC_JOIN": key["join"]}
    middle.processes.start("paris again", paris.inside(*words("./noc prober")), environment)
    wait_until(
        lambda: "connected to the broker" in middle.processes.log("paris again"),
        SEEN_S,
        "paris again",
        seen=lambda: middle.logs,
    )

    # Whatever paris was and did, the others were not disturbed.
    for name in ("here", "rome", "oslo"):
        assert middle.site(name)["online"]
    assert [name for name in ("rome", "oslo") if "was lost" in middle.processes.log(name)] == []

    middle.noc("./noc site remove paris")
    wait_until(lambda: refused(join.parse(key["join"])), SEEN_S, "a refusal of a removed site")
    wait_until(lambda: not middle.site("paris"), START_S, "nothing of paris", seen=lambda: middle.site("paris"))
    wait_until(lambda: not retained_of("paris", middle.mqtt_port), START_S, "nothing of paris on the broker")
    assert "Traceback" not in "".join(middle.logs.values())


def at(folder: Path) -> dict[str, str]:
    return {"NOC_DATA": str(folder)}


def _see_only_their_own(middle: Middle, folder: Path) -> None:
    """What each prober has on its disk is what it is to ping, and nothing that is for people."""
    file = folder / "targets.csv"
    file.write_text(
        "id,address,sites,note,contacts\n"
        "everywhere,127.0.0.1,,Rack 7,oncall@noc.test\n"
        "of-paris,127.0.0.2,paris,,\n"
        "of-rome,127.0.0.3,rome,,\n"
    )
    middle.noc(f"./noc targets import {file}")
    for site, place in (("paris", "site"), ("rome", "rome"), ("oslo", "oslo")):
        path = folder / place / f"prober-{site}.sqlite"
        wanted = {"everywhere", *({f"of-{site}"} if site != "oslo" else ())}
        wait_until(lambda: wanted <= told(path).keys(), SEEN_S, f"what {site} is to ping", seen=lambda: middle.logs)  # noqa: B023
        found = told(path)
        assert {name for name in found if name.startswith(("every", "of-"))} == wanted
        assert "Rack" not in str(found)
        assert "noc.test" not in str(found)


def told(path: Path) -> dict[str, str]:
    """Of a prober's database, the targets that it knows."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        rows = connection.execute("SELECT name, body FROM memory WHERE kind = 'target'").fetchall()
    return {name: body.decode() for name, body in rows}


def _forge(key: Join, port: int) -> None:
    """All that whoever has stolen the key may try in the name of another site, or of nobody."""
    listener = Stranger(port)
    assert listener.subscribe("noc/v1/#")
    for topic in (
        *("results/here/x", "states/here/x", "replays/here", "probers/here", "traces/here/x", "marks/paris"),
        *("results/rome/x", "states/oslo/x", "probers/rome", "replies/rome/x"),
    ):
        for is_retained in (False, True):
            with Client(key) as forger:
                forger.publish(f"noc/v1/{topic}", is_retained=is_retained)
    for topic in (
        *("targets/x", "verdicts/x", "incidents/x", "services/web", "commands/here/check", "sites/paris"),
        *("assignments/paris/x", "assignments/rome/x", "assignment-summaries/rome"),
    ):
        with Client(key) as forger:
            forger.publish(f"noc/v1/{topic}", is_retained=True)
    for site in ("here", "rome"):
        with Client(key, will=f"noc/v1/probers/{site}") as forger:
            forger.vanish()
    for name in ("noc-prober-rome", "noc-prober-oslo-00000000", "noc-web", "noc-recorder"):
        with Client(key, name=name):
            pass
    with Client(key) as spy:
        spy.subscribe("noc/v1/#", "noc/v1/commands/here/+", "noc/v1/results/+/+", "$SYS/#")
        spy.subscribe("noc/v1/targets/#", "noc/v1/targets/of-rome", "noc/v1/services/+", "noc/v1/assignments/#")
        spy.subscribe("noc/v1/assignments/rome/+", "noc/v1/assignment-summaries/rome", "noc/v1/assignments/paris/+")
        wait_until(
            lambda: "noc/v1/assignments/paris/of-paris" in spy.heard, SEEN_S, "what it may", seen=lambda: spy.heard
        )
        # What it may: the order of one connection tells that everything before was held back.
        spy.publish("noc/v1/results/paris/x")
    while (heard := listener.hear(SEEN_S))[0] != "noc/v1/results/paris/x":
        assert heard[1] != FORGED, heard
    # Mosquitto takes any subscription and then delivers what may be read.
    assert not [
        topic
        for topic in spy.heard
        if re.search("/(here|rome|oslo)", topic)
        or topic.startswith(("noc/v1/verdicts", "noc/v1/targets", "noc/v1/services", "$"))
    ]
    later = Stranger(port)
    later.subscribe("noc/v1/#")
    later.subscribe("noc/v1/probers/paris")
    while (heard := later.hear(SEEN_S))[0] != "noc/v1/probers/paris":
        assert heard[1] != FORGED, heard
    for one in (listener, later):
        one.close()


def retained_of(site: str, port: int) -> list[str]:
    reader, found = Stranger(port), []
    reader.subscribe(f"noc/v1/+/{site}/#")
    # What comes after it was asked for after it.
    reader.subscribe("noc/v1/probers/here")
    while (topic := reader.hear(SEEN_S)[0]) != "noc/v1/probers/here":
        found.append(topic)
    reader.close()
    return found


def refused(key: Join) -> bool:
    with Client(key) as client:
        return client.answer == "Not authorized"


FORGED: Final = b"forged"


class Client:
    """A context manager: an MQTT client that has what the token says, and is no prober."""

    def __init__(self, key: Join, will: str | None = None, name: str = "") -> None:
        broker = key.broker()
        transport: Literal["tcp", "websockets"] = "tcp" if broker.path is None else "websockets"
        self.heard: list[str] = []
        self.answer = ""
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id=name, transport=transport, reconnect_on_failure=False
        )
        if broker.path:
            self._client.ws_set_options(path=broker.path)
        context = ssl.create_default_context(cadata=broker.authority)
        context.check_hostname = False
        self._client.tls_set_context(context)
        self._client.username_pw_set(broker.user, broker.password)
        if will:
            self._client.will_set(will, FORGED, qos=1, retain=True)
        self._client.on_connect = lambda client, userdata, flags, code, properties: setattr(self, "answer", str(code))
        self._client.on_message = lambda client, userdata, message: self.heard.append(message.topic)
        self._client.connect(broker.host, broker.port)
        self._client.loop_start()
        wait_until(lambda: self.answer, SEEN_S, "an answer of the broker")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def publish(self, topic: str, *, is_retained: bool = False) -> None:
        self._client.publish(topic, FORGED, qos=0, retain=is_retained).wait_for_publish(SEEN_S)

    def subscribe(self, *topics: str) -> None:
        answered: list[object] = []
        self._client.on_subscribe = lambda *answer: answered.append(answer)
        for topic in topics:
            self._client.subscribe(topic, 0)
        wait_until(lambda: len(answered) == len(topics), SEEN_S, "an answer to each subscription")

    def vanish(self) -> None:
        """Without a goodbye: the broker publishes the will, where it may."""
        sock = self._client.socket()
        assert sock
        self._client.loop_stop()
        sock.close()
