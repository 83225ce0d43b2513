"""A host falls silent and comes back: what the table says, and which mails arrive."""

from __future__ import annotations

import itertools
import random
import time

import pytest

from noc_bus.messages import Target
from noc_netlab.lab import Netlab
from tests.parts.figures import Figures
from tests.parts.smtp import Mail
from tests.parts.waiting import wait_until
from tests.scenarios.whole import Noc

# What is promised, at default options.
DOWN_S = 20.0
UP_S = 10.0
# From there to the mail: a critical target waits for others for 2 s, an incident for the rest of it at most 30 s.
DOWN_MAIL_S = 10.0
UP_MAIL_S = 35.0
# From the end of its first lost cycle, of a critical target, whatever else goes on.
CRITICAL_MAIL_S = 10.0


@pytest.mark.timeout(600)
def test_an_outage_is_known_and_mailed_once_and_so_is_its_end(
    noc: Noc, netlab: Netlab, is_long: bool, figure: Figures
) -> None:
    """In the long form then also in a storm."""
    noc.add("router", "10.99.0.1")
    noc.add("server", "10.99.0.2", critical=True)
    noc.wait_states({"router": "UP", "server": "UP"}, 20)
    since_ms = time.time() * 1000
    with netlab.silence("10.99.0.2"):
        noc.wait_states({"router": "UP", "server": "DOWN"}, DOWN_S)
        (down,) = noc.mails.wait(1, DOWN_MAIL_S)
        (incident,) = noc.get("incidents?open=true")["incidents"]
        assert incident["targets"] == ["server"]
    noc.wait_states({"router": "UP", "server": "UP"}, UP_S)
    down, up = noc.mails.wait(2, UP_MAIL_S)
    assert "server" in down.subject
    assert "DOWN" in down.subject
    assert up.references == [down.message_id]
    assert up.message["In-Reply-To"] == down.message_id
    assert down.recipients == up.recipients == ["oncall@noc.test"]
    _has_text_and_html(down)
    (outage,) = noc.get("targets/server/states")["outages"]
    assert 1 < outage["seconds"] < DOWN_S + DOWN_MAIL_S + UP_S
    assert noc.get("incidents?open=true")["incidents"] == []
    assert len(noc.mails.mails) == 2
    # A machine that does other things as well may take as long as is waited for above.
    took_s = _after_the_first_lost_cycle_s(netlab, since_ms, down)
    figure.at_most("critical mail (s)", took_s, CRITICAL_MAIL_S if is_long else DOWN_S + DOWN_MAIL_S)
    if is_long:
        figure.at_most("critical mail in a storm (s)", _in_a_storm_s(noc, netlab), CRITICAL_MAIL_S)


def _in_a_storm_s(noc: Noc, netlab: Netlab) -> float:
    """Three hundred others go up and down, and then all down, and in the middle of that the critical one."""
    others = {f"host-{n}": f"10.99.{1 + n // 250}.{1 + n % 250}" for n in range(300)}
    rows = "".join(f"{name},{address}\n" for name, address in others.items())
    status, answer = noc.ask("POST", "targets/import", f"name,address\n{rows}".encode())
    assert (status, answer["added"]) == (200, len(others))
    wait_until(lambda: noc.get("status")["kpis"]["up"] == len(others) + 2, 90, "all UP")
    draw = random.Random(3)
    for _ in range(3):
        silent = draw.sample(list(others.values()), 100)
        for address in silent:
            netlab.behave(address, silent=True)
        time.sleep(12)
        for address in silent:
            netlab.behave(address)
        time.sleep(4)
    for address in others.values():
        netlab.behave(address, silent=True)
    time.sleep(8)
    since_ms, before = time.time() * 1000, len(noc.mails.mails)
    netlab.behave("10.99.0.2", silent=True)

    def found() -> list[Mail]:
        return [mail for mail in noc.mails.mails[before:] if "- server " in mail.text or "] server" in mail.subject]

    wait_until(found, 60, "its mail", seen=lambda: [mail.subject for mail in noc.mails.mails])
    return _after_the_first_lost_cycle_s(netlab, since_ms, found()[0])


def _after_the_first_lost_cycle_s(netlab: Netlab, since_ms: float, mail: Mail) -> float:
    """A cycle ends when the last of its echo requests has timed out."""
    options = Target(id="server", name="server", address="10.99.0.2")
    asked_ms = [one.at_ms for one in netlab.seen("10.99.0.2")]
    # Of the cycle in which it fell silent some was answered.
    begun = (
        at_ms
        for before_ms, at_ms in itertools.pairwise(asked_ms)
        if at_ms >= since_ms and at_ms - before_ms > 2 * options.packet_gap_ms
    )
    ended_ms = next(begun) + (options.packets - 1) * options.packet_gap_ms + options.timeout_ms
    mailed_ms = time.time() * 1000 - (time.monotonic() - mail.at_s) * 1000
    return round((mailed_ms - ended_ms) / 1000, 1)


def _has_text_and_html(mail: object) -> None:
    message = mail.message  # type: ignore[attr-defined]  # tests.parts.smtp.Mail
    assert [part.get_content_type() for part in message.walk() if not part.is_multipart()] == [
        "text/plain",
        "text/html",
    ]
