"""The mail server of Settings, as the alerter takes it: sealed, at once, kept, and never above the environment."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest

from noc_alerter.notify.smtp import NotDelivered
from noc_bus.channels import SEALED
from noc_bus.codec import encode
from noc_bus.messages import NotificationSettings, SealedSettings, State
from noc_bus.sealed import seal
from tests.alerter.conftest import FROM, OPS, Rig

ALL = ("north", "south", "west")
MAIL: dict[str, Any] = {"mail_server": "smtp://mail.test", "mail_from": FROM, "mail_to": [OPS]}


@pytest.fixture
def bare(rig: Rig) -> Rig:
    """Its environment says nothing of mails."""
    rig.die()
    rig.start(mailing=False)
    return rig


def put(rig: Rig, key: str = "", **settings: Any) -> None:
    """The web service retains these."""
    content = seal(encode(NotificationSettings(**settings)), key or str(rig.presence().sealing_key))
    rig.others.publish(SEALED, SealedSettings(reader="alerter", content=content))
    rig.passes(1)


def test_what_is_set_is_in_force_at_once_and_over_a_restart_without_a_broker(bare: Rig) -> None:
    assert (bare.presence().code, bare.presence().trouble) == ("no-mail", None)
    put(bare, **MAIL, mail_user="ada", mail_password="s3cret")
    assert bare.presence().code is None
    bare.sees(State.DOWN, *ALL)
    bare.passes(3)
    assert bare.words == ["DOWN"]
    bare.die()
    bare.hub.retained.clear()
    bare.start(mailing=False)
    smtp = bare.settings.means.smtp
    assert smtp is not None
    assert (smtp.user, smtp.password, bare.settings.means.mail_to) == ("ada", "s3cret", (OPS,))


def test_no_file_of_it_has_a_secret_in_the_clear_or_is_for_others_to_read(bare: Rig) -> None:
    put(bare, **MAIL, mail_user="ada", mail_password="s3cret")
    for file in bare.folder.glob("alerter*[dy]"):
        assert b"s3cret" not in file.read_bytes()
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert not any(b"s3cret" in payload for _, payload in bare.hub.sent)


def test_the_environment_wins_where_it_is_set_and_says_so(rig: Rig) -> None:
    put(rig, mail_server="smtps://elsewhere.test", mail_from="else@noc.test", mail_to=["else@noc.test"])
    means = rig.settings.means
    assert means.smtp is not None
    assert (means.smtp.host, means.sender, means.mail_to) == ("mail.test", FROM, (OPS,))
    assert rig.presence().environment == {
        "NOC_SMTP_URL": "mail.test:587",
        "NOC_MAIL_FROM": FROM,
        "NOC_MAIL_TO": OPS,
    }


@pytest.mark.parametrize(
    ("settings", "code", "sentence"),
    [
        ({"mail_server": "smtp://mail.test"}, "no-mail", "the mails have no sender: enter one in Settings"),
        ({"mail_from": FROM, "mail_to": [OPS]}, "no-mail", "no mail server is set: enter one in Settings"),
        ({"mail_server": "smtp://mail.test", "mail_from": FROM}, "no-recipients", "enter recipients in Settings"),
    ],
)
def test_what_is_set_by_halves_is_said(bare: Rig, settings: dict[str, Any], code: str, sentence: str) -> None:
    put(bare, **settings)
    assert bare.presence().code == code
    assert sentence in (bare.presence().trouble or "")


def test_what_was_sealed_for_another_key_changes_nothing(bare: Rig, tmp_path: Path) -> None:
    from noc_bus.sealed import SealingKey

    put(bare, **MAIL)
    put(bare, SealingKey(tmp_path / "other.key").public, **{**MAIL, "mail_to": ["eve@noc.test"]})
    bare.others.publish(SEALED, SealedSettings(reader="alerter", content="rubbish"))
    bare.passes(1)
    assert bare.settings.means.mail_to == (OPS,)


def test_what_was_refused_is_tried_at_once_when_the_settings_are_mended(bare: Rig) -> None:
    put(bare, **MAIL)
    bare.server_trouble = NotDelivered("user name or password refused", can_retry=True, is_for_all=True)
    bare.sees(State.DOWN, *ALL)
    bare.stays(600)
    assert bare.mails == []
    bare.server_trouble = None
    put(bare, **MAIL, mail_user="ada", mail_password="right")
    assert bare.words == ["DOWN"]
