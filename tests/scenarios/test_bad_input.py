"""Nonsense from outside: it is named and dropped, and nothing is lost."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import paho.mqtt.publish as publish
import pytest

from noc_bus.channels import CHANNELS, DEFAULT_ROOT
from noc_netlab.lab import Netlab
from tests.parts.brokers import Mosquitto
from tests.parts.ports import free_port
from tests.parts.processes import Processes
from tests.parts.smtp import SmtpSink
from tests.parts.waiting import wait_until
from tests.scenarios.whole import Noc

PAYLOADS = [
    b"{",
    b"null",
    b"\xff\xfe\x00",
    b"[" * 100_000,
    b'{"site": "here"}',
    b'{"target": "../../etc/passwd", "state": "NO SUCH STATE"}',
    b'{"at": "yesterday", "seq": -1}',
]
SERVICES = ("prober", "recorder", "alerter", "web")
WRONG = [
    ("NOC_LOG", "loud", SERVICES, "debug, info, warning or error"),
    ("NOC_MQTT_URL", "http://broker", SERVICES, "mqtt://"),
    ("NOC_SITE", "Büro Süd", ("prober",), "lower-case letters"),
    ("NOC_SITE", "web", ("prober",), "belongs to a service"),
    ("NOC_HISTORY_URL", "postgres://history", ("recorder", "web"), "sqlite:///"),
    ("NOC_SMTP_URL", "mail.example", ("alerter",), "smtp://"),
    ("NOC_MAIL_TO", "everybody", ("alerter",), "mail addresses"),
    ("NOC_HTTP_PORT", "0", ("web",), "1 to 65535"),
    ("NOC_ADMIN_PASSWORD", "short", ("web",), "12 to 128 characters"),
    ("NOC_PUBLIC_URL", "noc.example", ("web", "alerter"), "https://"),
]


def test_nonsense_on_every_topic_harms_nobody(noc_on_mosquitto: Noc, netlab: Netlab) -> None:
    noc = noc_on_mosquitto
    netlab.behave("10.99.0.2", silent=True)
    noc.add("router", "10.99.0.1", interval_s=2)
    noc.add("server", "10.99.0.2", interval_s=2)
    expected = {"router": "UP", "server": "DOWN"}
    noc.wait_states(expected, 40)
    for channel in CHANNELS:
        variables = dict.fromkeys(channel.variables, "here")
        topic = channel.address(DEFAULT_ROOT, **variables)
        # Each as the one user who may write there: nonsense may come from our own bugs too.
        user = "here" if "prober" in channel.writers else channel.writers[0]
        if len(channel.writers) > 1:
            topic = channel.address(DEFAULT_ROOT, service=user)
        publish.multiple(
            [(topic, payload, channel.qos, False) for payload in PAYLOADS],
            port=noc.broker.port,
            auth={"username": user, "password": noc.broker.passwords[user]},
        )
    before = noc.cycles("router")[-1][0]
    wait_until(lambda: noc.cycles("router")[-1][0] > before + 4000, 20, "cycles are stored as ever")
    noc.wait_states(expected, 10)
    assert noc.is_whole()
    assert len(noc.mails.wait(1, 10)) == 1
    for service in ("recorder", "alerter", "web", "here"):
        log = noc.processes.log(service)
        assert "dropped a message" in log
        assert "Traceback" not in log
    # Once per kind, not once per message.
    assert noc.processes.log("recorder").count("dropped a message") < len(CHANNELS) * len(PAYLOADS) / 2


@pytest.mark.parametrize(("variable", "value", "services", "accepted"), WRONG)
def test_a_wrong_setting_is_one_sentence_with_the_name_and_what_is_accepted(
    variable: str, value: str, services: tuple[str, ...], accepted: str, tmp_path: Path
) -> None:
    needed = {"NOC_SITE": "here", "NOC_MAIL_FROM": "noc@noc.test", "NOC_SMTP_URL": "smtp://127.0.0.1"}
    for service in services:
        done = subprocess.run(
            [sys.executable, "-m", f"noc_{service}"],
            env={"PATH": "/usr/bin:/bin", "NOC_DATA": str(tmp_path)} | needed | {variable: value},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert done.returncode == 2
        assert done.stdout == ""
        (sentence,) = done.stderr.strip().splitlines()
        assert sentence.startswith(f"noc-{service}: {variable}")
        assert accepted in sentence


@pytest.mark.parametrize("service", SERVICES)
def test_a_folder_that_cannot_be_written_is_named(service: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    folder = tmp_path / "file" / "data"
    done = subprocess.run(
        [sys.executable, "-m", f"noc_{service}"],
        env={"PATH": "/usr/bin:/bin", "NOC_DATA": str(folder), "NOC_SITE": "here"},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 2
    assert str(folder) in done.stderr
    assert "NOC_DATA" in done.stderr


@pytest.mark.parametrize("service", SERVICES)
def test_a_wrong_broker_password_is_said_and_cured_without_a_loss(
    service: str, tmp_path: Path, noc_processes: Processes
) -> None:
    with Mosquitto(
        tmp_path / "broker", {"here": "right", "recorder": "right", "alerter": "right", "web": "right"}
    ) as broker:
        user = "here" if service == "prober" else service
        noc_processes.service(
            service,
            {
                "NOC_DATA": str(tmp_path / "data"),
                "NOC_SITE": "here",
                "NOC_MQTT_URL": f"mqtt://{user}:wrong-secret@127.0.0.1:{broker.port}",
                "NOC_HTTP_PORT": str(free_port()),
            },
        )
        log = wait_until(lambda: "NOC_MQTT_URL" in (text := noc_processes.log(service)) and text, 20, "the sentence")
        assert "refused us" in log
        assert "wrong-secret" not in log
        assert noc_processes.is_running(service)


def test_a_mail_server_that_refuses_is_named_and_the_mail_goes_out_later(
    noc_on_mosquitto: Noc, netlab: Netlab, smtp_sink: SmtpSink
) -> None:
    noc = noc_on_mosquitto
    smtp_sink.mode = "greylist"
    netlab.behave("10.99.0.2", silent=True)
    noc.add("server", "10.99.0.2", interval_s=2)
    wait_until(lambda: any("451" in one for one in noc.get("status")["trouble"]), 60, "the trouble is shown")
    assert not smtp_sink.mails
    smtp_sink.mode = "ok"
    smtp_sink.wait(1, 60)
    wait_until(lambda: not noc.get("status")["trouble"], 20, "no trouble any more")
    assert len(smtp_sink.mails) == 1
