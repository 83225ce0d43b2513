"""What is sealed for one reader is read by nobody else, whatever lies on the broker."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from noc_bus.sealed import BadKey, NotOpened, SealingKey, seal

SECRET = b'{"mail_password": "hunter2"}'


def test_only_the_reader_opens_what_was_sealed_for_it_also_after_a_restart(tmp_path: Path) -> None:
    key, other = SealingKey(tmp_path / "a.key"), SealingKey(tmp_path / "b.key")
    sealed = seal(SECRET, key.public)
    assert SealingKey(tmp_path / "a.key").opened(sealed) == SECRET
    with pytest.raises(NotOpened):
        other.opened(sealed)


def test_the_same_looks_different_each_time(tmp_path: Path) -> None:
    key = SealingKey(tmp_path / "a.key")
    assert seal(SECRET, key.public) != seal(SECRET, key.public)


@pytest.mark.parametrize("place", [0, 31, 40, -1])
def test_what_was_changed_on_its_way_is_not_opened(tmp_path: Path, place: int) -> None:
    import base64

    key = SealingKey(tmp_path / "a.key")
    content = bytearray(base64.b64decode(seal(SECRET, key.public)))
    content[place] ^= 1
    with pytest.raises(NotOpened):
        key.opened(base64.b64encode(content).decode())


@pytest.mark.parametrize("content", ["", "AAAA", "no base64!", "A" * 400])
def test_what_was_never_sealed_is_not_opened(tmp_path: Path, content: str) -> None:
    with pytest.raises(NotOpened):
        SealingKey(tmp_path / "a.key").opened(content)


@pytest.mark.parametrize("public", ["", "x", "AAAA", "ö" * 44, "A" * 43 + "="])
def test_what_is_no_key_is_refused(public: str) -> None:
    with pytest.raises(BadKey):
        seal(SECRET, public)


@pytest.mark.parametrize("content", ["", "rubbish", "AAAA\nAAAA\n"])
def test_a_damaged_file_is_made_anew_and_is_its_user_s_alone(tmp_path: Path, content: str) -> None:
    path = tmp_path / "a.key"
    path.write_text(content)
    key = SealingKey(path)
    assert SealingKey(path).public == key.public
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
