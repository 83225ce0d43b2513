"""The session on a real Mosquitto: it heals, and nothing that arrives can stop it."""

from __future__ import annotations

import getpass
import io
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import paho.mqtt.publish
import pytest

from noc_bus.broker import Broker
from noc_bus.channels import PROBERS, TARGETS
from noc_bus.codec import encode
from noc_bus.messages import ProberPresence, Target
from noc_bus.presence import Announcer
from noc_bus.session import Session, SessionDied
from noc_bus.time import Time
from noc_frame import log
from noc_frame.settings import SettingError

pytestmark = pytest.mark.skipif(shutil.which("mosquitto") is None, reason="needs Mosquitto on PATH")

TARGET = Target(id="a", name="A", address="192.0.2.1")


def until(condition: Callable[[], object], what: str, deadline_s: float = 10) -> None:
    end = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < end, f"waited {deadline_s} s for: {what}"
        time.sleep(0.01)


def cut(session: Session) -> None:
    """The network, not the client, ends the connection."""
    assert session._client
    connection = session._client.socket()
    assert connection
    with socket.socket(fileno=os.dup(connection.fileno())) as same:
        same.shutdown(socket.SHUT_RDWR)


class Mosquitto:
    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.folder = folder
        self.users = folder / "users"
        self.config = folder / "mosquitto.conf"
        self.config.write_text(f"listener {self.port} 127.0.0.1\nallow_anonymous true\nlog_type subscribe\n")
        self.log = folder / "log"
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def broker(self) -> Broker:
        return Broker("127.0.0.1", self.port)

    def start(self) -> None:
        with self.log.open("ab") as log_file:
            self.process = subprocess.Popen(["mosquitto", "-c", str(self.config)], stdout=log_file, stderr=log_file)

    def kill(self) -> None:
        if self.process:
            self.process.kill()
            self.process.wait()

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        paho.mqtt.publish.single(topic, payload, 1, retain, "127.0.0.1", self.port)


@pytest.fixture
def log_lines() -> io.StringIO:
    """What is logged, as a service would log it."""
    lines = io.StringIO()
    log.configure("info", lines)
    return lines


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    broker = Mosquitto(tmp_path)
    broker.start()
    yield broker
    broker.kill()


@pytest.fixture
def session(mosquitto: Mosquitto) -> Iterator[Session]:
    one = Session(mosquitto.broker, "tested")
    yield one
    one.stop()


def test_retained_messages_arrive_and_clearing_one_is_told(mosquitto: Mosquitto, session: Session) -> None:
    got: list[tuple[Target | None, dict[str, str]]] = []
    session.subscribe(TARGETS, lambda message, variables: got.append((message, variables)))
    session.start()
    until(lambda: session.connected, "connected")
    assert session.publish(TARGETS, TARGET)
    until(lambda: got == [(TARGET, {"target": "a"})], "the target")
    assert session.clear(TARGETS, target="a")
    until(lambda: got[1:] == [(None, {"target": "a"})], "its clearing")


def test_no_broker_is_asked_to_send_again_what_may_be_replaced_by_then(mosquitto: Mosquitto, session: Session) -> None:
    session.subscribe(TARGETS, lambda message, variables: None)
    session.start()
    until(lambda: session.connected, "a connection")
    session.resubscribe(TARGETS)
    until(lambda: mosquitto.log.read_text().count("noc/v1/targets/+") == 2, "two subscriptions in the broker's log")
    qualities = [line.split()[-2] for line in mosquitto.log.read_text().splitlines() if "noc/v1/targets/+" in line]
    assert qualities == ["0", "0"]


def test_bad_payloads_and_failing_handlers_are_counted_and_survived(
    mosquitto: Mosquitto, session: Session, log_lines: io.StringIO
) -> None:
    got: list[str] = []

    def handler(message: Target | None, variables: dict[str, str]) -> None:
        assert message
        if message.id == "poison":
            raise RuntimeError("poison")
        got.append(message.id)

    session.subscribe(TARGETS, handler)
    session.start()
    until(lambda: session.connected, "connected")
    bad = [b"\x00", b"\xff" * 10, b"[" * 50_000, b'{"id":"b"}', b"NaN", encode(TARGET)]
    for payload in bad:
        for _ in range(2):
            mosquitto.publish("noc/v1/targets/b", payload)
    mosquitto.publish("noc/v1/targets/UPPER", encode(TARGET))
    mosquitto.publish("noc/v1/targets/poison", encode(Target(id="poison", name="P", address="192.0.2.2")))
    mosquitto.publish("noc/v1/targets/a", encode(TARGET))
    until(lambda: got == ["a"], "the good message after the bad ones")
    assert session.counters["messages_refused_total"] == 2 * len(bad) + 1
    assert session.counters["messages_failed_total"] == 1
    told = log_lines.getvalue().count("dropped a message that is not a Target")
    assert 1 <= told <= len(bad) + 1, "each kind is told once"
    session.check()


def test_what_is_retained_is_believed_again_after_each_connection(mosquitto: Mosquitto, session: Session) -> None:
    heard: list[str | None] = []
    session.subscribe(TARGETS, lambda target, _: heard.append(target.name if target else None))
    session.start()
    until(lambda: session.connected, "a connection")
    mosquitto.publish("noc/v1/targets/a", encode(TARGET), retain=True)
    until(lambda: heard == ["A"], "the live message")
    cut(session)
    until(lambda: heard == ["A", "A"], "the retained message")


def test_after_a_broker_crash_it_reconnects_resubscribes_and_says_so(mosquitto: Mosquitto, session: Session) -> None:
    got: list[str] = []
    connections: list[bool] = []
    session.subscribe(TARGETS, lambda message, variables: got.append(variables["target"]))
    session.when_connected(lambda: connections.append(session.connected))
    session.when_disconnected(lambda: connections.append(session.connected))
    session.start()
    until(lambda: connections == [True], "the first connection")
    mosquitto.kill()
    until(lambda: connections == [True, False] and session.trouble, "the loss noticed")
    assert not session.publish(TARGETS, TARGET), "nothing can be handed over without a connection"
    mosquitto.start()
    until(lambda: connections == [True, False, True], "the second connection", 20)
    assert session.trouble is None
    mosquitto.publish("noc/v1/targets/a", encode(TARGET))
    until(lambda: got == ["a"], "a message on the new connection")


def test_the_broker_publishes_the_will_of_a_client_that_vanishes(mosquitto: Mosquitto) -> None:
    heard: list[bool] = []
    witness = Session(mosquitto.broker, "witness")
    witness.subscribe(PROBERS, lambda message, variables: heard.append(bool(message and message.online)))
    witness.start()
    until(lambda: witness.connected, "the witness connected")
    lost = Session(mosquitto.broker, "lost", will=lambda _: (PROBERS, ProberPresence(site="berlin", online=False)))
    lost.start()
    until(lambda: lost.connected, "connected")
    lost.publish(PROBERS, ProberPresence(site="berlin", online=True))
    until(lambda: heard == [True], "the presence")
    cut(lost)
    until(lambda: heard[:2] == [True, False], "the will")
    lost.stop()
    witness.stop()


def test_a_refused_password_is_one_sentence_that_names_the_setting(
    mosquitto: Mosquitto, log_lines: io.StringIO
) -> None:
    mosquitto.kill()
    mosquitto.users.write_text("")
    subprocess.run(["mosquitto_passwd", "-b", str(mosquitto.users), "berlin", "right"], check=True)
    mosquitto.config.write_text(
        f"listener {mosquitto.port} 127.0.0.1\nallow_anonymous false\npassword_file {mosquitto.users}\n"
        # Started by root it would change to a user who cannot read the password file.
        f"user {getpass.getuser()}\n"
    )
    mosquitto.start()
    stranger = Broker("127.0.0.1", mosquitto.port, user="berlin", password="hunter2")
    refused = Session(stranger, "refused")
    refused.start()
    until(lambda: refused.trouble and "refused us" in refused.trouble, "the refusal", 40)
    assert "NOC_MQTT_URL" in str(refused.trouble)
    assert "hunter2" not in log_lines.getvalue()
    refused.stop()
    again = Session(stranger, "again")
    again.start()
    assert not again.connects_within(3600), "an answer ends the wait"
    assert "refused us" in str(again.trouble)
    again.stop()


@pytest.mark.parametrize(
    ("content", "why"), [(None, "No such file or directory"), ("not a certificate", "no certificate")]
)
def test_certificates_that_cannot_be_read_are_one_sentence_that_names_file_and_setting(
    tmp_path: Path, content: str | None, why: str
) -> None:
    ca = tmp_path / "ca.pem"
    if content:
        ca.write_text(content)
    with pytest.raises(SettingError, match=rf"^NOC_MQTT_URL: {ca} cannot be read as certificates \(.*{why}"):
        Session(Broker("h", 8883, tls=True, ca=str(ca)), "tested")


def test_why_the_broker_cannot_be_reached_is_told(mosquitto: Mosquitto) -> None:
    mosquitto.kill()
    nobody = Session(mosquitto.broker, "nobody")
    nobody.start()
    assert not nobody.connects_within(3600), "so does that nobody is there"
    assert str(nobody.trouble).endswith("cannot be reached: Connection refused")
    nobody.stop()


def test_a_wait_for_a_connection_tries_every_address(mosquitto: Mosquitto, session: Session) -> None:
    session.start()
    until(lambda: session.connected, "a broker that listens")
    several = Session(Broker("127.0.0.1", 1, others=(mosquitto.broker,)), "several")
    several.start()
    assert several.connects_within(3600)
    several.stop()


def test_an_address_that_takes_a_connection_and_says_nothing_is_left_for_the_next(
    mosquitto: Mosquitto, log_lines: io.StringIO
) -> None:
    """As a node of a cluster does for as long as nobody leads it."""
    with socket.create_server(("127.0.0.1", 0)) as mute:
        port = mute.getsockname()[1]
        several = Session(Broker("127.0.0.1", port, others=(mosquitto.broker,)), "several")
        several.start()
        until(lambda: several.connected, "the one that answers", 30)
        assert f"the broker mqtt://127.0.0.1:{port} does not answer" in log_lines.getvalue()
        client, _ = mute.accept()
        with client:
            client.settimeout(10)
            # CONNECT, then DISCONNECT: its will is nobody's business.
            said = b"".join(iter(lambda: client.recv(1024), b""))
        assert said.endswith(b"\xe0\x00")
        # A late answer must not be for whom the other one has taken in.
        assert several._client
        assert several._client._client_id not in said
        several.stop()


def test_a_session_knows_its_own_end_of_the_connection(mosquitto: Mosquitto, session: Session) -> None:
    session.start()
    until(lambda: session.connected, "connected")
    assert session.own_address == "127.0.0.1"
    session.stop()
    until(lambda: session.own_address == "", "the end of the connection")


def test_a_dead_thread_is_noticed(mosquitto: Mosquitto, session: Session) -> None:
    session.start()
    until(lambda: session.connected, "connected")
    session.check()
    session._inbox.close()  # as if the worker had died
    until(lambda: not session._worker.is_alive(), "the worker gone")
    with pytest.raises(SessionDied):
        session.check()


def test_the_network_thread_never_runs_a_handler(mosquitto: Mosquitto, session: Session) -> None:
    threads: list[str] = []
    session.subscribe(TARGETS, lambda message, variables: threads.append(threading.current_thread().name))
    session.when_connected(lambda: threads.append(threading.current_thread().name))
    session.start()
    until(lambda: session.connected, "connected")
    mosquitto.publish("noc/v1/targets/a", encode(TARGET))
    until(lambda: len(threads) == 2, "hook and handler")
    assert set(threads) == {"bus-worker-tested"}


def test_the_client_id_is_another_one_at_each_start(mosquitto: Mosquitto) -> None:
    """Who knows a service's name cannot take its connection."""
    one, other = Session(mosquitto.broker, "same"), Session(mosquitto.broker, "same")
    for session in (one, other):
        session.start()
        until(lambda session=session: session.connected, "connected")  # type: ignore[misc]
    time.sleep(1)
    assert one.connected
    assert other.connected
    assert one.instance != other.instance
    one.stop()
    other.stop()


def test_of_two_that_are_one_copied_while_it_ran_each_is_somebody_else_in_the_end(mosquitto: Mosquitto) -> None:
    """By the one client id that they have in common each throws the other out."""
    sessions = [Session(mosquitto.broker, "noc-prober-paris") for _ in range(2)]
    sessions[1].instance = name = sessions[0].instance
    since = Time.now()

    def present() -> ProberPresence:
        return ProberPresence(site="paris", online=True, since=since, clock=Time.now())

    both = [Announcer(one, PROBERS, present, site="paris") for one in sessions]
    for session in sessions:
        session.start()

    def one_is_silent() -> bool:
        for one in both:
            one.announce()
        time.sleep(0.1)
        return {one.is_silenced for one in both} == {True, False} and all(one.connected for one in sessions)

    until(one_is_silent, "one that keeps silent", 60)
    assert len({name, *(one.instance for one in sessions)}) >= 2
    for session in sessions:
        session.stop()


def test_what_a_lost_connection_had_queued_is_not_sent_again_on_the_next(mosquitto: Mosquitto) -> None:
    """Who owns a message says it again; twice is once too often."""
    heard: list[str] = []
    witness = Session(mosquitto.broker, "witness")
    witness.subscribe(TARGETS, lambda target, _: heard.append(target.name if target else ""))
    witness.start()
    until(lambda: witness.connected, "the witness connected")
    sender = Session(mosquitto.broker, "sender")
    sender.start()
    until(lambda: sender.connected, "the sender connected")
    assert mosquitto.process
    mosquitto.process.send_signal(signal.SIGSTOP)
    for number in range(50):
        sender.publish(TARGETS, Target(id="a", name=str(number), address="192.0.2.1"))
    cut(sender)
    mosquitto.process.send_signal(signal.SIGCONT)
    until(lambda: not sender.connected, "the loss noticed")
    until(lambda: sender.connected, "a new connection", 20)
    sender.publish(TARGETS, Target(id="a", name="new", address="192.0.2.1"))
    until(lambda: heard and heard[-1] == "new", "the new message")
    assert len(heard) == len(set(heard))
    sender.stop()
    witness.stop()
