"""Folders of tests are in memory only where there is room for them and for what runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.parts import scratch

MUCH, LITTLE = "MemTotal: 9 kB\nMemAvailable:   16000000 kB\n", "MemTotal: 16000000 kB\nMemAvailable: 1000000 kB\n"


@pytest.mark.parametrize(
    ("meminfo", "is_taken"),
    [
        pytest.param(MUCH, True, id="there is room"),
        pytest.param(LITTLE, False, id="what runs needs the memory"),
        pytest.param("MemTotal: 16000000 kB\n", False, id="an old kernel does not say"),
        pytest.param(None, False, id="no Linux"),
    ],
)
def test_folders_are_in_memory_where_the_machine_has_enough(
    tmp_path: Path, meminfo: str | None, *, is_taken: bool
) -> None:
    if meminfo is not None:
        (tmp_path / "meminfo").write_text(meminfo)
    assert scratch.in_memory(tmp_path, tmp_path / "meminfo", 1) == (tmp_path if is_taken else None)


@pytest.mark.parametrize("folder", ["/proc", "/nowhere"])
def test_where_there_is_no_room_a_disk_has_to_do(tmp_path: Path, folder: str) -> None:
    (tmp_path / "meminfo").write_text(MUCH)
    assert scratch.in_memory(Path(folder), tmp_path / "meminfo") is None
