"""Channels of Apprise, through Apprise itself, to a real receiver; what they may not do; and several channels of a contact."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator

import pytest

from noc_alerter.notify import apprised
from noc_alerter.notify.apprise_child import _guard
from noc_alerter.notify.smtp import NotDelivered
from noc_bus.messages import Channel, Contact, NotificationRoute, State
from noc_rules.apprise_url import LOCAL, parsed_scheme
from noc_rules.telling import Book, addresses
from tests.alerter.conftest import Rig
from tests.alerter.test_settings import put
from tests.alerter.test_webhook import ALL, SECRET
from tests.parts.webhook import WebhookSink

MESSAGE = apprised.written("[DOWN] Router", "no answer\nSince 12:00", "failure")


@pytest.fixture
def sink() -> Iterator[WebhookSink]:
    with WebhookSink() as sink:
        yield sink


@pytest.mark.thorough
def test_an_outage_and_its_end_reach_every_channel_of_a_contact(rig: Rig, sink: WebhookSink) -> None:
    """Its webhook, another one and Apprise's, each once, and each a recipient of its own."""
    ways = [
        Channel(id="pager", kind="webhook", name="Pager", url=sink.url.replace("hook", "pager"), secret=SECRET),
        Channel(id="chat", kind="apprise", name="Chat", url=f"json://127.0.0.1:{sink.port}/chat"),
        Channel(id="later", kind="carrier-pigeon", name="Later", url="x://y"),
    ]
    desk = Contact(id="desk", name="Desk", webhook_url=sink.url, webhook_secret=SECRET, channels=ways)
    put(rig, contacts=[desk], routes=[NotificationRoute(id="r", name="R", contacts=["desk"])])
    recipients = ["webhook:desk", "webhook:desk/pager", "apprise:desk/chat"]
    assert [*addresses("desk", Book({"desk": desk}))] == recipients
    rig.sees(State.DOWN, *ALL)
    rig.passes(3)
    assert [one.to for one in rig.asks(rig.open[0].id).mails] == recipients
    assert [one.state for one in rig.asks(rig.open[0].id).mails] == ["sent"] * 3
    assert sorted(one.path.partition("?")[0] for one in sink.posted) == ["/chat", "/hook", "/pager"]
    (chat,) = [json.loads(one.body) for one in sink.posted if one.path == "/chat"]
    assert chat["title"].startswith("[DOWN] Router")
    assert "https://noc.test" in chat["message"]
    assert chat["type"] == "failure"
    # It is away, and named in the words of Apprise and of the other side.
    sink.mode = "fail"
    rig.sees(State.UP, *ALL)
    rig.passes(3)
    assert "500 Internal Server Error" in (rig.presence().trouble or "")
    assert {one.state for one in rig.asks(rig.ended[0].id).mails} == {"sent", "queued"}


@pytest.mark.thorough
def test_a_channel_reaches_neither_files_nor_what_no_receiver_has_and_a_silent_one_is_left(sink: WebhookSink) -> None:
    for url, words in {
        "json://169.254.169.254/latest": "json:// did not take it: 169.254.169.254 is not an address of a receiver",
        "workflows://host.test/w/s/?template=/etc/hostname": "it may not open the file /etc/hostname",
    }.items():
        with pytest.raises(NotDelivered) as caught:
            apprised.deliver(url, MESSAGE)
        assert words in str(caught.value)
        assert caught.value.can_retry
    sink.mode = "hang"
    with pytest.raises(NotDelivered, match=r"json:// has not answered within 0\.2 s"):
        apprised.deliver(f"json://127.0.0.1:{sink.port}/", MESSAGE, longest_s=0.2)


@pytest.mark.parametrize(
    ("host", "event", "given", "refused"),
    [
        ("chat.test", "socket.connect", (None, ("192.0.2.1", 443)), ""),
        ("chat.test", "socket.connect", (None, ("10.0.0.1", 443)), ""),
        ("localhost", "socket.connect", (None, ("127.0.0.1", 80)), ""),
        ("chat.test", "socket.connect", (None, ("127.0.0.1", 80)), "leads to this machine itself"),
        ("chat.test", "socket.connect", (None, ("fe80::1", 80, 0, 0)), "not an address of a receiver"),
        ("chat.test", "socket.sendto", (None, ("169.254.169.254", 514)), "not an address of a receiver"),
        ("chat.test", "socket.connect", (None, "/run/docker.sock"), "may not reach sockets of this machine"),
        ("chat.test", "subprocess.Popen", ("sh", [], None, None), "it may not do subprocess.Popen"),
        ("chat.test", "os.system", (b"id",), "it may not do os.system"),
        ("chat.test", "open", ("/etc/shadow", "r", 0), "it may not open the file /etc/shadow"),
        ("chat.test", "open", (sys.prefix + "/../../etc/shadow", "r", 0), "it may not open the file"),
        ("chat.test", "open", (sys.prefix + "/x", "w", 0), "it may not open the file"),
        ("chat.test", "open", (json.__file__, "r", 0), ""),
        ("chat.test", "open", (3, "w", 0), ""),
    ],
)
def test_what_a_channel_may_do(host: str, event: str, given: tuple[object, ...], refused: str) -> None:
    why: list[str] = []
    hook = _guard(host, why)
    if not refused:
        hook(event, given)
        return
    with pytest.raises(Exception, match=refused):
        hook(event, given)
    assert refused in why[0]


def test_where_apprise_is_not_installed_a_sentence_says_so(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    assert apprised.schemes() == []
    put(
        rig,
        contacts=[
            Contact(id="desk", name="Desk", channels=[Channel(id="c", kind="apprise", name="C", url="json://x.test")])
        ],
    )
    with pytest.raises(
        NotDelivered, match="Apprise is not installed where the alerter runs; install it there"
    ) as caught:
        rig.channels.try_one("apprise:desk/c")
    assert caught.value.can_retry
    assert rig.channels.refusal("apprise:desk/c") == "C (apprise) of Desk did not take a message"
    with pytest.raises(NotDelivered, match="no such channel"):
        rig.channels.try_one("apprise:desk/gone")


@pytest.mark.thorough
def test_the_schemes_are_apprise_s_own_without_those_of_the_machine_itself() -> None:
    found = apprised.schemes()
    assert {"json", "slack", "tgram", "mailto", "rsyslog"} <= set(found)
    assert LOCAL.isdisjoint(found)
    assert [parsed_scheme(f"{one}://x") for one in found] == found


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("", "does not begin with a scheme"),
        ("slack", "does not begin with a scheme"),
        ("slack://", "does not begin with a scheme"),
        ("json://a\nb", "characters that no URL has"),
        *((f"{scheme}://x", "reaches nothing but the alerter's own machine") for scheme in sorted(LOCAL)),
        ("SYSLOG://x", "reaches nothing but the alerter's own machine"),
    ],
)
def test_what_is_no_url_of_a_channel(url: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parsed_scheme(url)
