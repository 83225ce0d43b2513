"""The colours of both themes are told apart by people who see them badly: WCAG 2 AA, computed from the style sheet."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import noc_web

SHEET = (Path(noc_web.__file__).parent / "static/css/tokens.css").read_text()
DARK = re.search(r':root\[data-theme="dark"\] \{(.*?)\}', SHEET, re.DOTALL)
LIGHT = re.search(r":root \{(.*?)\}", SHEET, re.DOTALL)
AUTO = re.search(r':root\[data-theme="auto"\] \{(.*?)\}', SHEET, re.DOTALL)
STATES = ("up", "degraded", "partial", "down", "unreachable", "unknown", "maintenance", "paused")
TEXT = 4.5


def colours(block: re.Match[str] | None) -> dict[str, str]:
    assert block
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block[1]))


def channels(colour: str) -> list[int]:
    return [int(colour[place : place + 2], 16) for place in (1, 3, 5)]


def luminance(colour: str) -> float:
    linear = [
        one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in (c / 255 for c in channels(colour))
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def mixed(colour: str, ground: str, share: float) -> str:
    """As `color-mix` has it in the sheets: a tint of the colour on its ground."""
    both = zip(channels(colour), channels(ground), strict=True)
    return "#" + "".join(f"{round(one * share + other * (1 - share)):02x}" for one, other in both)


@pytest.mark.parametrize("block", [LIGHT, DARK], ids=["light", "dark"])
def test_every_text_is_legible_on_every_ground(block: re.Match[str] | None) -> None:
    found = colours(block)
    poor = []
    for name in ("text", "text-2", "accent", *STATES):
        grounds = {ground: found[ground] for ground in ("ground", "panel", "panel-2")}
        grounds["a row under the pointer"] = mixed(found["accent"], found["panel"], 0.12)
        grounds["its own tint"] = mixed(found[name], found["panel"], 0.14)
        poor += [(name, where) for where, ground in grounds.items() if contrast(found[name], ground) < TEXT]
    assert not poor
    assert contrast(found["accent-text"], found["accent"]) >= TEXT
    assert contrast(found["panel"], found["down"]) >= TEXT, "the badge of open incidents"


def test_the_machines_dark_theme_is_the_chosen_one() -> None:
    assert colours(AUTO) == colours(DARK)
