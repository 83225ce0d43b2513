"""The join token carries all that a site needs, in one word that is whole or refused."""

from __future__ import annotations

import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from noc_bus import join
from noc_bus.broker import Broker
from noc_bus.join import Join
from noc_bus.messages import SLUG_PATTERN

# Not a certificate: nothing here looks into it.
KEY = Join(urls=("wss://192.0.2.1:8883", "mqtts://noc.example"), site="paris", secret="s3-cret", authority=b"\x30\x00")


@given(
    site=st.from_regex(SLUG_PATTERN, fullmatch=True).filter(lambda name: name not in ("web", "reader")),
    secret=st.text(min_size=1, max_size=60),
    authority=st.binary(max_size=500),
)
def test_what_goes_in_comes_out(site: str, secret: str, authority: bytes) -> None:
    key = Join(urls=KEY.urls, site=site, secret=secret, authority=authority, expires_at=7)
    assert join.parse(key.token()) == key


def test_it_says_where_the_broker_is_by_every_address_and_who_the_site_is() -> None:
    broker = join.parse(KEY.token()).broker()
    assert (str(broker), broker.path, broker.tls, broker.password) == (
        "wss://paris@192.0.2.1:8883",
        "/mqtt",
        True,
        "s3-cret",
    )
    assert [str(other) for other in broker.others] == ["mqtts://paris@noc.example:8883"]
    assert broker.authority == ssl.DER_cert_to_PEM_cert(KEY.authority)
    assert broker.joined == "paris"


def test_its_secret_is_in_no_text_made_of_it() -> None:
    assert "s3-cret" not in repr(KEY.broker()) + str(KEY.broker())


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        ("paris", "it is no join token"),
        ("noc1-", "it is not complete"),
        (KEY.token()[:-1], "it is not complete"),
        (KEY.token()[:40] + KEY.token()[44:], "it is not complete"),
        (KEY.token().replace("A", "B", 1), "it is not complete"),
        ("noc1-ä", "it is not complete"),
        (Join(urls=(), site="paris", secret="s").token(), "it names no address"),
        (Join(urls=("http://x",), site="paris", secret="s").token(), "http is not mqtt, mqtts, ws or wss"),
        (Join(urls=("mqtts://x",), site="web", secret="s").token(), "that name belongs to a service"),
        (Join(urls=("mqtts://x",), site="../x", secret="s").token(), "not a slug"),
    ],
)
def test_what_is_no_whole_token_is_refused(token: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        join.parse(token)


def test_a_broker_over_websocket_is_named_by_its_address() -> None:
    plain, other = Broker.parse("wss://u:p@noc.example/behind/mqtt"), Broker.parse("ws://[::1]:9001")
    assert (plain.port, plain.path, plain.root, str(plain)) == (
        443,
        "/behind/mqtt",
        "noc/v1",
        "wss://u@noc.example:443",
    )
    assert (other.tls, other.path, str(other)) == (False, "/mqtt", "ws://[::1]:9001")


def test_a_broker_of_several_machines_has_each_of_its_addresses() -> None:
    broker = Broker.parse("mqtts://u:p@a.example:1,b.example,[::1]:3/root?ca=/ca.pem")
    assert [str(one) for one in (broker, *broker.others)] == [
        "mqtts://u@a.example:1",
        "mqtts://u@b.example:8883",
        "mqtts://u@[::1]:3",
    ]
    assert {(one.password, one.root, one.ca) for one in (broker, *broker.others)} == {("p", "root", "/ca.pem")}
    with pytest.raises(ValueError, match="names no host"):
        Broker.parse("mqtt://a.example,,b.example")
