"""From a site to its NOC: each step that can fail says so in one sentence with its cure, to the prober and to the doctor."""

from __future__ import annotations

import gc
import json
import re
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from msgspec.structs import replace

from noc_bus.broker import Broker
from noc_bus.channels import ASSIGNMENT_SUMMARIES, PROBERS
from noc_bus.join import Join
from noc_bus.messages import AssignmentSummary, ProberPresence, Summary
from noc_bus.session import Session
from noc_bus.time import Time
from noc_frame.finding import Finding
from noc_launcher import backup
from noc_launcher.brokers import nats
from noc_launcher.listening import Listener
from noc_launcher.site_doctor import walk
from noc_web.broker import authority
from noc_web.broker.__main__ import prepare
from noc_web.broker.accounts import Arrangement, BrokerAccounts
from noc_web.broker.files import BrokerFiles
from noc_web.database.opening import Database
from tests.launcher.conftest import Noc
from tests.parts.ports import free_port, listens
from tests.parts.processes import Processes
from tests.parts.tls_proxy import TlsProxy
from tests.parts.waiting import wait_until


@dataclass
class Middle:
    data: Path
    key: Join
    readers: dict[str, Join]
    """Accounts of people who may read only, in the form of tokens."""
    mqtt_port: int
    port: int


@pytest.fixture(scope="module")
def middle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Middle]:
    """A broker with a listener, and what the token of its site paris has in it."""
    data = tmp_path_factory.mktemp("middle")
    folder = data / "broker"
    folder.mkdir()
    mqtt_port, port = free_port(), free_port()
    arrangement = Arrangement(str(folder), anonymous_read=True)
    prepare(data, arrangement, {"paris": "the key", "web": "the middle"}, ["127.0.0.1"])
    with closing(Database(data)) as database:
        readers = BrokerAccounts(database)
        secrets = {user: readers.add_reader(user, [reads]) for user, reads in READERS.items()}
        BrokerFiles(readers).write()
    der = authority.certify(data, folder, ["127.0.0.1"]).authority
    with Processes(data / "logs") as processes:
        processes.start("broker", nats.prepare(folder, mqtt_port, Listener("127.0.0.1", port)))
        wait_until(lambda: listens(port) and listens(mqtt_port), 15, "a broker", seen=lambda: processes.logs)
        key = Join(urls=(at(port),), site="paris", secret="the key", authority=der)
        readers_keys = {user: replace(key, site=user, secret=secret) for user, secret in secrets.items()}
        yield Middle(data, key, readers_keys, mqtt_port, port)


READERS = {"grafana": "verdicts/#", "archive": "#"}


def at(port: int) -> str:
    return f"wss://127.0.0.1:{port}"


LET_IN = ["name", "route", "tls", "login", "rights"]


def failed(key: Join) -> Finding:
    """The step at which the way ends."""
    *before, last = walk(key.broker())
    assert {one.level for one in before} <= {"ok"}
    assert last.level == "fail"
    return last


def is_let_in(key: Join) -> bool:
    """With the rights of a site; whether clocks can be compared or not."""
    *way, offset = walk(key.broker())
    return [one.name for one in way if one.level == "ok"] == LET_IN and offset.name == "offset"


def test_of_several_addresses_one_that_works_is_enough(middle: Middle) -> None:
    assert is_let_in(replace(middle.key, urls=(at(free_port()), at(middle.port))))


def test_without_a_service_there_is_no_clock_to_compare_with(middle: Middle) -> None:
    *way, offset = walk(middle.key.broker())
    assert [(one.name, one.level) for one in way] == [(name, "ok") for name in LET_IN]
    assert (offset.name, offset.level) == ("offset", "warn")
    assert "no service of the NOC speaks" in offset.text


@pytest.mark.parametrize(
    ("lies_s", "said"), [(-3600, r"3[6-9]\d\d\.\d s ahead of"), (3600, r"3[0-6]\d\d\.\d s behind")]
)
def test_a_clock_that_differs_from_that_of_the_noc_is_told_in_seconds(middle: Middle, lies_s: int, said: str) -> None:
    with speaking(middle, lies_s):
        *way, offset = walk(middle.key.broker())
    assert {one.level for one in way} == {"ok"}
    assert (offset.name, offset.level) == ("offset", "fail")
    assert re.search(rf"the clock of this machine is {said} that of the NOC", offset.text)


@pytest.mark.parametrize(
    ("user", "lacks"),
    [
        ("grafana", "it may not read what its prober has to know"),
        ("archive", "what it publishes does not reach anybody"),
    ],
)
def test_who_is_let_in_without_the_rights_of_a_site_is_told(middle: Middle, user: str, lacks: str) -> None:
    found = failed(middle.readers[user])
    assert found.name == "rights"
    assert found.text.startswith(lacks)
    assert f"get another token with `noc site rotate {user}`" in found.text


def test_what_the_doctor_publishes_is_not_kept_and_counts_as_no_prober(middle: Middle) -> None:
    assert is_let_in(middle.key)
    kept: list[ProberPresence | None] = []
    arrived = threading.Event()
    web = Session(Broker.parse(f"mqtt://web:the%20middle@127.0.0.1:{middle.mqtt_port}"), "noc-web")

    def hear(presence: ProberPresence | None, variables: dict[str, str]) -> None:
        kept.append(presence)
        arrived.set()

    web.subscribe(PROBERS, hear)
    connected = threading.Event()
    web.when_connected(connected.set)
    web.start()
    try:
        assert connected.wait(30)
        assert is_let_in(middle.key)
        assert arrived.wait(30)
    finally:
        web.stop()
    assert [(one.site, one.silenced) for one in kept if one] == [("paris", True)]


@contextmanager
def speaking(middle: Middle, lies_s: int) -> Iterator[None]:
    """The web service of a NOC whose clock is ahead of ours by so many seconds; afterwards it is gone."""
    web = Session(Broker.parse(f"mqtt://web:the%20middle@127.0.0.1:{middle.mqtt_port}"), "noc-web")
    over = threading.Event()

    def speak() -> None:
        while not over.wait(0.2):
            now = Time(Time.now() + 1000 * lies_s)
            nothing = Summary(count=0, rev_sum=0)
            web.publish(ASSIGNMENT_SUMMARIES, AssignmentSummary(site="paris", assigned=nothing, at=now))

    speaker = threading.Thread(target=speak)
    web.start()
    speaker.start()
    try:
        yield
    finally:
        over.set()
        speaker.join()
        web.clear(ASSIGNMENT_SUMMARIES, site="paris")
        web.stop()


def test_after_a_restore_elsewhere_a_site_that_knows_that_address_is_let_in_unvisited(
    middle: Middle, tmp_path: Path
) -> None:
    """The machine is gone; of it there is a backup, and the second address in the tokens of its sites."""
    port = free_port()
    with closing(Database(middle.data)) as database:
        secret, _ = BrokerAccounts(database).new_site_key("rome")
    key = replace(middle.key, urls=(at(free_port()), at(port)), site="rome", secret=secret)
    backup.make(middle.data, tmp_path / "kept")
    backup.restore(tmp_path / "kept", tmp_path / "data")
    folder = tmp_path / "data" / "broker"
    folder.mkdir()
    prepare(tmp_path / "data", Arrangement(str(folder), anonymous_read=True), {}, ["127.0.0.2"])
    with Processes(tmp_path / "logs") as processes:
        processes.start("broker", nats.prepare(folder, free_port(), Listener("127.0.0.1", port)))
        wait_until(lambda: listens(port), 15, "the broker again", seen=lambda: processes.logs)
        assert is_let_in(key)
        assert failed(replace(key, secret="another")).name == "login"


@pytest.mark.parametrize(
    ("expires_in_s", "said"),
    [
        (3600, "the token of the site paris was replaced, disabled or removed there, for it has not expired"),
        (
            -3600,
            "the token of the site paris has expired if it was not used in its first days, or was replaced, disabled or removed there",
        ),
    ],
)
def test_a_token_that_was_replaced_or_expired_says_how_to_get_another(
    middle: Middle, expires_in_s: int, said: str
) -> None:
    found = failed(replace(middle.key, secret="an old key", expires_at=Time.now() + 1000 * expires_in_s))
    assert found.name == "login"
    assert found.text.endswith(f"{said}: get another one with `noc site rotate paris`")


def test_a_token_of_another_noc_is_known_by_its_authority(middle: Middle, tmp_path: Path) -> None:
    other = authority.certify(tmp_path, tmp_path, ["127.0.0.1"]).authority
    found = failed(replace(middle.key, authority=other))
    assert found.name == "tls"
    assert "its certificate is not one of the NOC that made this token (" in found.text
    assert found.text.endswith(
        "check the address, and whether a proxy in between opens TLS, or get another token with `noc site rotate paris`"
    )


def test_where_nothing_listens_the_listener_and_the_way_are_to_be_checked(middle: Middle) -> None:
    port = free_port()
    assert failed(replace(middle.key, urls=(at(port),))) == Finding(
        "route",
        "fail",
        f"wss://paris@127.0.0.1:{port} cannot be reached: Connection refused; "
        f"check that NOC runs there with --listen, and that port {port} is open on the way",
    )


def test_where_something_else_listens_the_address_is_to_be_checked(middle: Middle) -> None:
    found = failed(replace(middle.key, urls=(at(middle.mqtt_port),)))
    assert found.name == "tls"
    assert "check" in found.text


def test_a_name_that_is_none_is_to_be_checked(middle: Middle, own_network: None) -> None:
    found = failed(replace(middle.key, urls=("wss://noc.invalid:8883",)))
    assert found.name == "name"
    assert found.text.startswith("noc.invalid cannot be resolved (")


def test_a_site_joins_through_the_proxy_of_browsers_at_any_path(
    middle: Middle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Port 443 alone is open: the proxy's own certificate is one that the site's system trusts."""
    made = authority.certify(tmp_path, tmp_path, ["127.0.0.1"])
    with TlsProxy(made.certificate, made.key, "/from/sites", middle.port, "/mqtt") as proxy:
        key = replace(middle.key, urls=(f"wss://127.0.0.1:{proxy.port}/from/sites",), authority=b"")
        assert failed(key).name == "tls"
        assert "is not one that this machine trusts" in failed(key).text
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / authority.CERTIFICATE))
        assert is_let_in(key)


# Where the upgrade is refused, paho leaves its socket to Python's collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_proxy_that_passes_no_websocket_on_is_told(
    middle: Middle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = authority.certify(tmp_path, tmp_path, ["127.0.0.1"])
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / authority.CERTIFICATE))
    with TlsProxy(made.certificate, made.key, "/from/sites", middle.port, "/mqtt") as proxy:
        key = replace(middle.key, urls=(f"wss://127.0.0.1:{proxy.port}/elsewhere",), authority=b"")
        found = failed(key)
        gc.collect()
    assert found.name == "login"
    assert found.text.endswith(
        "check that its proxy passes WebSockets on at /elsewhere, to the path /mqtt of the listener"
    )


def test_the_doctor_of_a_site_walks_the_chain(middle: Middle, noc: Noc, tmp_path: Path) -> None:
    done = noc("doctor", "--json", "--join", middle.key.token(), "--data", str(tmp_path))
    checks = {one["check"]: one["level"] for one in json.loads(done.stdout)}
    assert list(checks) == ["python", "icmp", "data", "journal", *LET_IN, "offset", "clock"]
    assert [checks[name] for name in ("journal", *LET_IN)] == ["ok"] * 6


def test_the_doctor_of_a_site_looks_where_its_prober_keeps_its_journal(
    middle: Middle, noc: Noc, tmp_path: Path
) -> None:
    """Where the prober is started, as the prober itself: not in the folder of a whole NOC."""
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "prober-paris.sqlite").write_bytes(b"x")
    assert f"{folder}/prober-paris.sqlite" in noc("doctor", "--join", middle.key.token()).stdout
    elsewhere = noc("doctor", "--join", middle.key.token(), NOC_DATA=str(tmp_path / "elsewhere")).stdout
    assert f"{tmp_path}/elsewhere is not there yet; the prober makes it" in elsewhere


def test_a_token_that_is_not_whole_is_told_by_doctor_and_prober(noc: Noc, middle: Middle) -> None:
    cut = middle.key.token()[:-5]
    sentence = (
        "NOC_JOIN: the value given is not accepted; use the whole word that `noc site add` printed, "
        "which begins with noc1-."
    )
    assert sentence in noc("doctor", "--join", cut).stdout
    done = noc("prober", "--join", cut)
    assert (done.returncode, done.stderr) == (2, f"noc-prober: {sentence}\n")


def test_a_token_says_where_and_who_and_nothing_else_may(noc: Noc, middle: Middle) -> None:
    done = noc("prober", "--join", middle.key.token(), NOC_SITE="rome")
    assert done.returncode == 2
    assert done.stderr == (
        "noc-prober: NOC_JOIN says where the broker is and that this is the site paris; "
        "set neither NOC_MQTT_URL nor NOC_SITE beside it.\n"
    )
