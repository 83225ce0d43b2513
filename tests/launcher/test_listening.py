"""`noc up --listen`: where other sites connect."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path

import pytest

from noc_frame.settings import SettingError
from noc_launcher import listening
from tests.launcher.conftest import Noc


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("0.0.0.0", ("0.0.0.0", 8883)),
        ("192.0.2.1:443", ("192.0.2.1", 443)),
        ("::", ("::", 8883)),
        ("[2001:db8::1]:8884", ("2001:db8::1", 8884)),
        ("[::1]", ("::1", 8883)),
    ],
)
def test_an_address_of_this_machine_and_a_port(text: str, where: tuple[str, int]) -> None:
    listener = listening.read({"NOC_LISTEN": text})
    assert listener
    assert (listener.host, listener.port) == where


@pytest.mark.parametrize("text", ["yes", "noc.example", "192.0.2.1:0", "192.0.2.1:x", "192.0.2.1:99999", ":8883"])
def test_anything_else_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(SettingError, match=re.escape(f"NOC_LISTEN: {text!r} is not accepted")):
        listening.read({"NOC_LISTEN": text})


def test_without_it_there_is_no_listener() -> None:
    assert listening.read({}) is None


def test_a_certificate_of_one_s_own_needs_its_key_and_both_must_be_readable(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="NOC_TLS_CERT and NOC_TLS_KEY belong together"):
        listening.read({"NOC_TLS_CERT": "x.pem"})
    given = {"NOC_LISTEN": "::", "NOC_TLS_CERT": str(tmp_path / "x.pem"), "NOC_TLS_KEY": str(tmp_path / "x.key")}
    with pytest.raises(SettingError, match=r"NOC_TLS_CERT: '.*x\.pem' cannot be read; name a readable PEM file"):
        listening.read(given)
    for name in ("x.pem", "x.key"):
        (tmp_path / name).touch()
    listener = listening.read(given)
    assert listener
    assert listener.certificate(tmp_path / "elsewhere") == tmp_path / "x.pem"


def test_of_all_addresses_sites_are_told_those_that_others_can_reach(own_network: None) -> None:
    found = listening.addresses()
    assert len(found) == len(set(found))
    assert not [one for one in found if ipaddress.ip_address(one).is_loopback]
    assert listening.Listener("192.0.2.7", 8883).names() == ["192.0.2.7"]


def test_a_broker_of_one_s_own_has_its_own_listener(noc: Noc) -> None:
    done = noc("up", "--listen", "0.0.0.0", NOC_MQTT_URL="mqtt://broker.example")
    assert (done.returncode, done.stderr) == (
        2,
        "noc: NOC_LISTEN is for the broker that `noc up` starts, and NOC_MQTT_URL names another one; set one of them.\n",
    )
