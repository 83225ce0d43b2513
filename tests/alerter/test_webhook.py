"""The webhook channel against a real receiver: signed, the same id for every try, and never led astray."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import socket
import time
from collections.abc import Iterator

import pytest

from noc_alerter.notify import posted
from noc_alerter.notify.smtp import NotDelivered
from noc_alerter.notify.webhook import Message, Receiver, deliver, signature, why_not
from noc_bus.messages import Contact, NotificationRoute, State
from noc_bus.time import HOUR_MS, Time
from noc_rules.webhook import parsed_url, secret_bytes
from tests.alerter.conftest import OPS, Rig
from tests.alerter.test_settings import put
from tests.parts.webhook import Posted, WebhookSink

ALL = ("north", "south", "west")
SECRET = "whsec_" + base64.b64encode(b"k" * 24).decode()
MESSAGE = Message("i-1.opened.abc", b'{"type":"incident.opened"}')
NOW_S = 1_764_000_000


@pytest.fixture
def sink() -> Iterator[WebhookSink]:
    with WebhookSink() as sink:
        yield sink


def is_signed(one: Posted) -> bool:
    """As a receiver checks it, by the standard's text and not by our code."""
    signed = f"{one.headers['webhook-id']}.{one.headers['webhook-timestamp']}.".encode() + one.body
    expected = base64.b64encode(hmac.new(b"k" * 24, signed, hashlib.sha256).digest()).decode()
    return one.headers["webhook-signature"] == f"v1,{expected}"


def test_the_signature_is_the_one_of_the_standard_s_own_example() -> None:
    message = Message("msg_p5jXN8AQM9LWM0D4loKWxJek", b'{"test": 2432232314}')
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    assert signature(secret, message, 1_614_265_330) == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_message_is_posted_signed_and_answered_by_the_receiver_s_words(sink: WebhookSink) -> None:
    assert deliver(Receiver(sink.url, SECRET), MESSAGE, NOW_S) == "200 OK thank you"
    (one,) = sink.posted
    assert (one.path, one.body) == ("/hook?token=t", MESSAGE.body)
    assert (one.headers["webhook-id"], one.headers["webhook-timestamp"]) == (MESSAGE.id, str(NOW_S))
    assert is_signed(one)


@pytest.mark.parametrize(
    ("mode", "can_retry", "words"),
    [
        ("fail", True, "500 Internal Server Error <p>no, thank you</p>"),
        ("gone", False, "410 Gone"),
        ("drop", True, "no answer from 127.0.0.1"),
        ("redirect", True, "none is followed"),
    ],
)
def test_a_refusal_says_whether_to_try_again(sink: WebhookSink, mode: str, can_retry: bool, words: str) -> None:
    sink.mode = mode  # type: ignore[assignment]  # one of them
    with pytest.raises(NotDelivered) as caught:
        deliver(Receiver(sink.url, SECRET), MESSAGE, NOW_S)
    assert (caught.value.can_retry, caught.value.is_for_all) == (can_retry, False)
    assert words in str(caught.value)
    assert len(sink.posted) == 1, "no redirect is followed"


def test_a_receiver_that_never_ends_its_handshake_is_left_in_time_too() -> None:
    # It takes connections, and says nothing.
    with socket.create_server(("127.0.0.1", 0)) as server:
        began_s = time.monotonic()
        with pytest.raises(NotDelivered, match=r"no .*127\.0\.0\.1"):
            deliver(Receiver(f"https://127.0.0.1:{server.getsockname()[1]}/", SECRET), MESSAGE, NOW_S, longest_s=0.3)
        assert time.monotonic() - began_s < 10, "the limit of a single step is 15 s"


def test_a_receiver_that_hangs_is_left_and_one_that_vanished_is_said(sink: WebhookSink) -> None:
    sink.mode = "hang"
    with pytest.raises(NotDelivered, match=r"no answer from 127\.0\.0\.1") as caught:
        deliver(Receiver(sink.url, SECRET), MESSAGE, NOW_S, longest_s=0.3)
    assert caught.value.can_retry
    sink.stop()
    with pytest.raises(NotDelivered, match="Connection refused"):
        deliver(Receiver(sink.url, SECRET), MESSAGE, NOW_S)


@pytest.mark.parametrize(
    ("host", "address", "refused"),
    [
        ("hooks.test", "192.0.2.1", False),
        ("hooks.test", "10.0.0.1", False),
        ("hooks.test", "fd00::1", False),
        ("127.0.0.1", "127.0.0.1", False),
        ("localhost", "::1", False),
        ("hooks.test", "127.0.0.1", True),
        ("hooks.test", "::1", True),
        ("hooks.test", "::ffff:127.0.0.1", True),
        ("169.254.169.254", "169.254.169.254", True),
        ("hooks.test", "::ffff:169.254.169.254", True),
        ("hooks.test", "fe80::1%eth0", True),
        ("0.0.0.0", "0.0.0.0", True),
        ("hooks.test", "::", True),
        ("hooks.test", "224.0.0.1", True),
    ],
)
def test_where_it_may_connect_to(host: str, address: str, refused: bool) -> None:
    assert (why_not(host, address) is not None) is refused


@pytest.mark.parametrize(
    "url",
    [
        "ftp://x.test",
        "https://",
        "https://a:b@x.test",
        "https://x.test/a b",
        "https://x.test/\n",
        "http://x.test:0",
        "x",
        "",
    ],
)
def test_what_is_no_address_of_a_receiver(url: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        parsed_url(url)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_!!", "secret", "whsec_" + base64.b64encode(b"k" * 8).decode()])
def test_what_is_no_secret(secret: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        secret_bytes(secret)


# -- through the whole alerter


@pytest.fixture
def hooked(rig: Rig, sink: WebhookSink) -> Rig:
    """A route tells a contact that has a webhook and no mail address."""
    contact = Contact(id="desk", name="Service desk", webhook_url=sink.url, webhook_secret=SECRET)
    put(rig, contacts=[contact], routes=[NotificationRoute(id="r", name="R", contacts=["desk"])])
    return rig


def test_an_outage_and_its_end_are_posted_with_all_their_facts(hooked: Rig, sink: WebhookSink) -> None:
    hooked.sees(State.DOWN, *ALL)
    hooked.passes(3)
    hooked.writes(hooked.open[0].id, "the power is gone")
    hooked.sees(State.UP, *ALL)
    hooked.passes(3)
    bodies = [json.loads(one.body) for one in sink.posted]
    assert [one["type"] for one in bodies] == ["incident.opened", "incident.resolved"]
    first = bodies[0]["data"]
    assert (first["incident"]["id"], first["because"]) == (hooked.ended[0].id, "route r")
    assert first["link"] == f"https://noc.test/incidents/{hooked.ended[0].id}"
    assert [one["text"] for one in bodies[1]["data"]["incident"]["comments"]] == ["the power is gone"]
    assert all(map(is_signed, sink.posted))
    assert [one.to for one in hooked.asks(hooked.ended[0].id).mails] == ["webhook:desk"] * 2


@pytest.mark.thorough
def test_a_receiver_that_is_away_gets_it_later_under_the_same_id_and_is_named_meanwhile(
    hooked: Rig, sink: WebhookSink
) -> None:
    sink.mode = "fail"
    hooked.sees(State.DOWN, *ALL)
    hooked.stays(60)
    assert len(sink.posted) > 2
    assert "500 Internal Server Error" in (hooked.presence().trouble or "")
    sink.stop()
    hooked.stays(600)
    sink.mode = "ok"
    sink.start()
    hooked.stays(900)
    assert len({one.headers["webhook-id"] for one in sink.posted}) == 1
    assert len({one.body for one in sink.posted}) == 1
    assert [one.state for one in hooked.asks(hooked.open[0].id).mails] == ["sent"]


def test_after_72_hours_it_is_given_up_and_stays_visible(hooked: Rig, sink: WebhookSink) -> None:
    sink.mode = "fail"
    hooked.sees(State.DOWN, *ALL)
    hooked.passes(3)
    # Tried as often as it takes, while the alerter's own clock stands.
    for hour in range(0, 71, 3):
        hooked.sender.send_one(Time(hooked.now + hour * HOUR_MS))
    (waiting,) = hooked.asks(hooked.open[0].id).mails
    assert waiting.state == "queued"
    hooked.sender.send_one(Time(hooked.now + 73 * HOUR_MS))
    (given_up,) = hooked.asks(hooked.open[0].id).mails
    assert (given_up.state, given_up.error) == ("given-up", "500 Internal Server Error <p>no, thank you</p>")


def test_while_the_mail_server_is_given_rest_webhooks_go_on(hooked: Rig, sink: WebhookSink) -> None:
    hooked.server_trouble = NotDelivered("no greeting", can_retry=True, is_for_all=True)
    hooked.target(contacts=[OPS, "desk"])
    hooked.target("switch", contacts=["desk"])
    hooked.sees(State.UP, *ALL, target="switch")
    hooked.sees(State.DOWN, *ALL)
    hooked.passes(3)
    hooked.sees(State.DOWN, *ALL, target="switch")
    hooked.passes(3)
    assert len(sink.posted) == 2


def test_a_test_goes_the_same_way(rig: Rig, sink: WebhookSink) -> None:
    contact = Contact(id="desk", name="Service desk", webhook_url=sink.url, webhook_secret=SECRET)
    put(rig, contacts=[contact])
    channels = rig.channels
    assert channels.try_one("webhook:desk") == "200 OK thank you"
    assert json.loads(sink.posted[0].body)["type"] == "test"
    assert is_signed(sink.posted[0])
    assert abs(int(sink.posted[0].headers["webhook-timestamp"]) - time.time()) < 60
    put(rig, contacts=[])
    with pytest.raises(NotDelivered, match="no such contact") as caught:
        channels.deliver("webhook:desk", b"id\n{}")
    assert not caught.value.can_retry
    assert posted.read(b"id\n{}\n").body == b"{}\n"
