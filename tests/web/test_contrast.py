"""The colours of both themes are told apart by people who see them badly: WCAG 2 AA, computed from the style sheet."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest

import noc_web

SHEET = (Path(noc_web.__file__).parent / "static/css/tokens.css").read_text()
PAIRS = re.findall(r"--([\w-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\);", SHEET)
THEMES = {
    "light": {name: light for name, light, _ in PAIRS},
    "dark": {name: dark for name, _, dark in PAIRS},
}
STATES = ("up", "degraded", "partial", "down", "unreachable", "unknown", "maintenance", "paused")
# From a lane without loss to one where all is lost, each drawn beside the other.
LOSSES = ("loss-2", "loss-3", "loss-4", "loss-5", "loss-all")
TEXT = 4.5
APART = 1.1
LOSS_APART = 1.15


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


@pytest.mark.parametrize("theme", THEMES)
def test_every_text_is_legible_on_every_ground(theme: str) -> None:
    found = THEMES[theme]
    poor = []
    for name in ("text", "text-2", "accent", *STATES):
        grounds = {ground: found[ground] for ground in ("ground", "panel", "panel-2")}
        grounds["a row under the pointer"] = mixed(found["accent"], found["panel"], 0.12)
        grounds["its own tint"] = mixed(found[name], found["panel"], 0.14)
        poor += [(name, where) for where, ground in grounds.items() if contrast(found[name], ground) < TEXT]
    assert not poor
    assert contrast(found["accent-text"], found["accent"]) >= TEXT
    assert contrast(found["panel"], found["down"]) >= TEXT, "the badge of open incidents"


@pytest.mark.parametrize("theme", THEMES)
def test_states_and_losses_differ_also_without_their_hue(theme: str) -> None:
    found = THEMES[theme]
    alike = [pair for pair in itertools.combinations(STATES, 2) if contrast(*(found[one] for one in pair)) < APART]
    every = (*LOSSES, "loss-none", "loss-unknown")
    alike += [pair for pair in itertools.combinations(every, 2) if contrast(*(found[one] for one in pair)) < LOSS_APART]
    assert not alike


@pytest.mark.parametrize("theme", THEMES)
def test_what_nobody_saw_is_the_faintest_bar_of_a_strip(theme: str) -> None:
    found = THEMES[theme]
    assert contrast(found["unknown-bar"], found["lane"]) == min(
        contrast(found[name], found["lane"]) for name in ("unknown-bar", *STATES)
    )


def test_every_colour_is_written_once() -> None:
    names = [name for name, *_ in PAIRS]
    assert len(names) == len(set(names))
    assert not re.findall(r"#[0-9a-f]{6}", re.sub(r"light-dark\([^)]*\)", "", SHEET))
