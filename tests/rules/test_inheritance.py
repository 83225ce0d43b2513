"""What a group sets holds for its members, unless something nearer says otherwise."""

from __future__ import annotations

import pytest

from noc_bus.messages import Target, fields_of
from noc_rules.inheritance import OPTIONS, chain, resolve

GROUPS: dict[str, dict[str, object]] = {
    "": {"packets": 3},
    "core": {"interval_s": 30, "packets": 10},
    "core/routers": {"interval_s": 5, "address": "192.0.2.9"},
}
ADDING: dict[str, dict[str, object]] = {
    "": {"tags": ["all"], "contacts": ["noc@example.org"]},
    "core": {"tags": ["core", "all"]},
    "core/lab": {"tags": ["lab"], "replace_tags": True, "replace_contacts": True},
}


@pytest.mark.parametrize(
    ("own", "group", "effective"),
    [
        pytest.param({}, "", {"packets": 3}, id="the root group holds for all"),
        pytest.param({}, "branch", {"packets": 3}, id="an unknown group inherits from the root"),
        pytest.param({}, "core", {"interval_s": 30, "packets": 10}, id="a group overrides the root"),
        pytest.param(
            {}, "core/routers", {"interval_s": 5, "packets": 10}, id="the nearest group wins, option by option"
        ),
        pytest.param({}, "core/routers/edge", {"interval_s": 5, "packets": 10}, id="through a level that sets nothing"),
        pytest.param({"packets": 1}, "core", {"interval_s": 30, "packets": 1}, id="the target's own word is last"),
        pytest.param({"degraded_loss_pct": 0}, "", {"packets": 3, "degraded_loss_pct": None}, id="0 is null's meaning"),
        pytest.param({"sites": []}, "", {"packets": 3, "sites": None}, id="so is an empty list"),
        pytest.param({"parents": []}, "", {"packets": 3, "parents": []}, id="but not where null means nothing"),
    ],
)
def test_the_nearest_setting_wins(own: dict[str, object], group: str, effective: dict[str, object]) -> None:
    assert resolve(own, group, GROUPS) == effective


@pytest.mark.parametrize(
    ("own", "group", "tags", "contacts"),
    [
        pytest.param({}, "", ["all"], ["noc@example.org"], id="the root's hold for all"),
        pytest.param({}, "core", ["all", "core"], ["noc@example.org"], id="added from the root down, each once"),
        pytest.param(
            {"tags": ["own"]}, "core", ["all", "core", "own"], ["noc@example.org"], id="the target's come last"
        ),
        pytest.param({"tags": []}, "core", ["all", "core"], ["noc@example.org"], id="nothing adds nothing"),
        pytest.param(
            {"tags": ["own"], "replace_tags": True}, "core", ["own"], ["noc@example.org"], id="cut off by itself"
        ),
        pytest.param({"replace_tags": True}, "core", [], ["noc@example.org"], id="cut off and empty"),
        pytest.param({}, "core/lab", ["lab"], [], id="cut off by a group"),
        pytest.param({"contacts": ["a@b"]}, "core/lab/x", ["lab"], ["a@b"], id="a cut is not handed down"),
    ],
)
def test_tags_and_contacts_add_up_down_the_tree(
    own: dict[str, object], group: str, tags: list[str], contacts: list[str]
) -> None:
    effective = resolve(own, group, ADDING)
    assert (effective["tags"], effective["contacts"]) == (tags, contacts)
    assert effective.get("replace_tags") == own.get("replace_tags")


def test_a_list_nobody_sets_is_left_out() -> None:
    assert "tags" not in resolve({}, "core", GROUPS)


def test_a_chain_runs_from_the_group_to_the_root() -> None:
    assert chain("core/routers") == ["core/routers", "core", ""]
    assert chain("") == [""]


def test_every_option_of_a_target_is_inherited_or_its_own_affair() -> None:
    own = {"id", "name", "address", "group", "parents", "parent_groups", "site_parents", "note"}
    assert {*OPTIONS} | own == set(fields_of(Target))
    assert not {*OPTIONS} & own
