"""`noc doctor`: each thing it looks at, well and ill, with the cure."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from noc_launcher import doctor
from tests.launcher.conftest import Noc
from tests.parts.brokers import Nats
from tests.parts.ports import free_port
from tests.parts.smtp import SmtpSink


def test_a_machine_where_nothing_runs_yet_is_well_and_is_told_what_is_missing(own_network: None, noc: Noc) -> None:
    done = noc("doctor")
    assert (done.returncode, done.stderr) == (0, "")
    lines = [line.split(None, 2) for line in done.stdout.splitlines()]
    assert [line[1] for line in lines] == ["python", "icmp", "data", "broker", "web", "mail", "clock"]
    told = {line[1]: (line[0], line[2]) for line in lines}
    assert told["python"][0] == told["icmp"][0] == "ok"
    assert "./noc up makes it" in told["data"][1]
    assert told["broker"] == ("warn", "none is running; start one with ./noc up, or name one in NOC_MQTT_URL")
    assert told["mail"][0] == "warn"


def test_what_fails_gives_exit_code_1_and_json_alone_on_standard_output(own_network: None, noc: Noc) -> None:
    done = noc("doctor", "--json", NOC_MQTT_URL=f"mqtt://127.0.0.1:{free_port()}", NOC_SMTP_URL="smtp://127.0.0.1:1")
    assert (done.returncode, done.stderr) == (1, "")
    found = {one["check"]: one for one in json.loads(done.stdout)}
    assert found["broker"]["level"] == found["mail"]["level"] == "fail"
    assert "cannot be reached: Connection refused; check that it runs, and NOC_MQTT_URL" in found["broker"]["text"]
    assert "127.0.0.1:1 does not answer" in found["mail"]["text"]


def test_a_missing_certificate_authority_is_told_in_a_sentence(own_network: None, noc: Noc) -> None:
    done = noc("doctor", "--json", NOC_MQTT_URL="mqtts://noc.example?ca=/nowhere/ca.pem")
    found = {one["check"]: one for one in json.loads(done.stdout)}
    assert found["broker"]["text"].startswith("NOC_MQTT_URL: /nowhere/ca.pem cannot be read as certificates")


def test_a_broker_with_another_password_is_told(nats: Nats, tmp_path: Path) -> None:
    with Nats(tmp_path / "closed", {"web": "right"}) as closed:
        url = f"mqtt://web:wrong@127.0.0.1:{closed.port}"
        found = doctor.broker(tmp_path, {"NOC_MQTT_URL": url})
    assert found.level == "fail"
    assert "wrong" not in found.text.replace("wrong password", "")
    assert doctor.broker(tmp_path, {"NOC_MQTT_URL": nats.url()}).level == "ok"


def test_a_mail_server_is_asked_whether_it_encrypts(smtp_sink: SmtpSink) -> None:
    port = smtp_sink.port
    assert doctor.mail({"NOC_SMTP_URL": f"smtp://127.0.0.1:{port}?starttls=0"}).level == "ok"
    found = doctor.mail({"NOC_SMTP_URL": f"smtp://127.0.0.1:{port}?starttls=1"})
    assert (found.level, found.text) == (
        "fail",
        f"127.0.0.1:{port} does not offer STARTTLS; add ?starttls=0 to NOC_SMTP_URL to send unencrypted",
    )
    assert smtp_sink.mails == []


def test_a_test_mail_goes_to_everybody_and_the_servers_words_are_told(noc: Noc, smtp_sink: SmtpSink) -> None:
    people = {"NOC_MAIL_FROM": "noc@noc.test", "NOC_MAIL_TO": "ada@noc.test,bob@noc.test"}
    told = noc("doctor", "--mail", "--json", NOC_SMTP_URL=smtp_sink.url, **people)
    found = {one["check"]: one for one in json.loads(told.stdout)}["mail"]
    assert found["level"] == "ok"
    assert found["text"] == "ada@noc.test: 250 taken; bob@noc.test: 250 taken", "the server's own words"
    assert sorted(to for mail in smtp_sink.mails for to in mail.recipients) == ["ada@noc.test", "bob@noc.test"]
    smtp_sink.mode = "refuse-recipients"
    told = noc("doctor", "--mail", "--json", NOC_SMTP_URL=smtp_sink.url, **people)
    found = {one["check"]: one for one in json.loads(told.stdout)}["mail"]
    assert (told.returncode, found["level"]) == (1, "fail")
    assert "550" in found["text"]


def test_a_test_mail_without_a_server_says_what_is_missing(noc: Noc) -> None:
    told = noc("doctor", "--mail", "--json")
    found = {one["check"]: one for one in json.loads(told.stdout)}["mail"]
    assert (told.returncode, found["level"]) == (1, "fail")
    assert "NOC_SMTP_URL" in found["text"]


@pytest.mark.parametrize(("make", "level"), [("folder", "ok"), ("file", "fail"), ("nothing", "warn")])
def test_a_data_folder_is_looked_at_and_not_made(tmp_path: Path, make: str, level: str) -> None:
    folder = tmp_path / "data"
    if make == "folder":
        folder.mkdir()
    elif make == "file":
        folder.touch()
    before = folder.exists()
    found = doctor.data_folder(folder)
    assert found.level in ({level, "warn"} if make == "folder" else {level})
    assert str(folder) in found.text
    assert folder.exists() == before
