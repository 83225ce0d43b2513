"""A host falls silent and comes back: what the table says, and which mails arrive."""

from __future__ import annotations

from noc_netlab.lab import Netlab
from tests.scenarios.whole import Noc

# What is promised, at default options.
DOWN_S = 20.0
UP_S = 10.0
# From there to the mail: a critical target waits for others for 2 s, an incident for the rest of it at most 30 s.
DOWN_MAIL_S = 10.0
UP_MAIL_S = 35.0


def test_an_outage_is_known_and_mailed_once_and_so_is_its_end(noc: Noc, netlab: Netlab) -> None:
    noc.add("router", "10.99.0.1")
    noc.add("server", "10.99.0.2", critical=True)
    noc.wait_states({"router": "UP", "server": "UP"}, 20)
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


def _has_text_and_html(mail: object) -> None:
    message = mail.message  # type: ignore[attr-defined]  # tests.parts.smtp.Mail
    assert [part.get_content_type() for part in message.walk() if not part.is_multipart()] == [
        "text/plain",
        "text/html",
    ]
