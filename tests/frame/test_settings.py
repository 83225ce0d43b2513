"""A wrong setting is one sentence that names the variable and what it accepts."""

from __future__ import annotations

from pathlib import Path

import pytest

from noc_bus.broker import MQTT_URL, Broker
from noc_bus.channels import parse_site
from noc_frame.settings import DATA, LOG, Setting, SettingError, unknown_names

SITE = Setting("NOC_SITE", parse_site, "a slug", "this site", default=None)


@pytest.mark.parametrize(
    ("url", "broker"),
    [
        ("mqtt://h", Broker("h", 1883)),
        ("mqtt://u:p%40@h:99", Broker("h", 99, user="u", password="p@")),
        ("mqtts://h", Broker("h", 8883, tls=True)),
        ("mqtts://h?ca=/etc/ca.pem", Broker("h", 8883, tls=True, ca="/etc/ca.pem")),
        ("mqtt://h/my/root/", Broker("h", 1883, root="my/root")),
        ("mqtt://[::1]:1884", Broker("::1", 1884)),
    ],
)
def test_a_broker_url_is_read(url: str, broker: Broker) -> None:
    assert Broker.parse(url) == broker


@pytest.mark.parametrize(
    "url", ["", "h", "http://h", "mqtt://", "mqtt://h:99999", "mqtt://h:x", "mqtt://h/a b", "mqtt://h/+", "mqtt://h?x=1", "mqtt://a..b", f"mqtt://{'a' * 64}", "mqtt://h?"]
    )  # fmt: skip
def test_a_bad_broker_url_is_refused_without_showing_its_password(url: str) -> None:
    if url == "mqtt://h?":
        assert Broker.parse(url) == Broker("h", 1883)
        return
    with pytest.raises(SettingError, match=r"^NOC_MQTT_URL.*use mqtt://") as refusal:
        MQTT_URL.read({"NOC_MQTT_URL": url.replace("//", "//user:hunter2@") or " "})
    assert "hunter2" not in str(refusal.value)


def test_the_password_is_in_no_text_form_of_a_broker() -> None:
    broker = Broker.parse("mqtt://u:hunter2@h")
    assert "hunter2" not in str(broker) + repr(broker)


@pytest.mark.parametrize(
    ("setting", "environment", "sentence"),
    [
        (LOG, {"NOC_LOG": "loud"}, "NOC_LOG: 'loud' is not accepted; use debug, info, warning or error."),
        (SITE, {}, "NOC_SITE is not set; use a slug."),
        (SITE, {"NOC_SITE": "Berlin!"}, "NOC_SITE: 'Berlin!' is not accepted (not a slug); use a slug."),
        (SITE, {"NOC_SITE": "web"}, "NOC_SITE: 'web' is not accepted (that name belongs to a service); use a slug."),
        (
            SITE,
            {"NOC_SITE": "a", "NOC_SITE_FILE": "b"},
            "NOC_SITE and NOC_SITE_FILE are both set; set only one of them.",
        ),
    ],
)
def test_each_mistake_has_its_sentence(setting: Setting[object], environment: dict[str, str], sentence: str) -> None:
    with pytest.raises(SettingError) as refusal:
        setting.read(environment)
    assert str(refusal.value) == sentence


def test_a_value_may_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "site").write_text("berlin\n")
    assert SITE.read({"NOC_SITE_FILE": str(tmp_path / "site")}) == "berlin"


def test_a_file_that_cannot_be_read_is_named() -> None:
    with pytest.raises(SettingError, match="NOC_SITE_FILE: '/nowhere/site' cannot be read"):
        SITE.read({"NOC_SITE_FILE": "/nowhere/site"})


def test_a_data_folder_is_made_for_its_owner_only(tmp_path: Path) -> None:
    folder = DATA.read({"NOC_DATA": str(tmp_path / "deep" / "data")})
    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_data_folder_in_a_home_that_nobody_knows_is_named() -> None:
    with pytest.raises(
        SettingError, match=r"^NOC_DATA: '~nobody-at-all/noc' is not accepted \(that home folder is not"
    ):
        DATA.read({"NOC_DATA": "~nobody-at-all/noc"})


def test_a_data_folder_that_cannot_be_written_is_named() -> None:
    with pytest.raises(SettingError, match=r"^NOC_DATA: '/proc/noc' is not accepted .*use the path of a folder"):
        DATA.read({"NOC_DATA": "/proc/noc"})


def test_a_misspelt_variable_is_told_with_the_right_spelling() -> None:
    assert unknown_names({"NOC_MQTT_ULR": "x", "NOC_LOG": "info", "HOME": "/"}, ["NOC_MQTT_URL", "NOC_LOG"]) == [
        "NOC_MQTT_ULR is set, but no setting has that name; did you mean NOC_MQTT_URL?"
    ]
