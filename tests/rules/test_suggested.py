"""Which targets are suggested as parents of another, from the ways to it."""

from __future__ import annotations

import pytest

from noc_bus.messages import Target, Trace
from noc_rules.suggested import suggested
from tests.rules.test_routes import TARGET, trace

ADDRESSES = {"a": "edge", "b": "core-1", "c": "core-2", "d": "dist", TARGET: "web"}


@pytest.mark.parametrize(
    ("traces", "parents", "expected"),
    [
        pytest.param([], {}, {}, id="no trace"),
        pytest.param([trace("x y T")], {}, {}, id="no target on the way"),
        pytest.param([trace("a b x T")], {}, {"core-1": {"here": 2}}, id="the nearest, not all"),
        pytest.param([trace("a b|c T")], {}, {"core-1": {"here": 2}, "core-2": {"here": 2}}, id="two share the load"),
        pytest.param(
            [trace("a b T"), trace("d T", site="there")],
            {},
            {"core-1": {"here": 2}, "dist": {"there": 1}},
            id="another from another site",
        ),
        pytest.param(
            [trace("d T"), trace("a b T", site="n"), trace("b T", site="s")],
            {},
            {"core-1": {"n": 2, "s": 1}, "dist": {"here": 1}},
            id="that of most sites first",
        ),
        pytest.param([trace("a b T", 0), trace("a c T", 1)], {}, {"core-2": {"here": 2}}, id="the last way"),
        pytest.param([trace("a b T", 0), trace("a", 1)], {}, {"core-1": {"here": 2}}, id="not one that broke off"),
        pytest.param([trace("a b T")], {"web": ["core-1"]}, {}, id="it is one already"),
        pytest.param([trace("a b T")], {"core-1": ["x"], "x": ["y"], "y": ["x", "web"]}, {}, id="it would be a circle"),
        pytest.param([trace("a b T")], {"core-1": ["x"], "x": ["core-1"]}, {}, id="it would lie behind a circle"),
    ],
)  # fmt: skip
def test_suggested(traces: list[Trace], parents: dict[str, list[str]], expected: dict[str, dict[str, int]]) -> None:
    found = suggested("web", traces, ADDRESSES, {name: target(name, parents=parents.get(name, [])) for name in NAMES})
    assert {one.parent: one.sites for one in found} == expected
    assert [one.parent for one in found] == list(expected)


NAMES = (*ADDRESSES.values(), "x", "y")


def target(name: str, **options: list[str]) -> Target:
    return Target(id=name, name=name, address="192.0.2.9", **options)  # type: ignore[arg-type]


BOTH = [trace("a b T", site="n"), trace("d T", site="s")]


@pytest.mark.parametrize(
    ("traces", "options", "expected"),
    [
        pytest.param([trace("b T")], {}, [{"parents": ["core-1"]}], id="one site has looked"),
        pytest.param([trace("b T"), trace("b T", site="n")], {}, [{"parents": ["core-1"]}], id="all go the same way"),
        pytest.param([trace("b T")], {"parents": ["dist"]}, [{"parents": ["dist", "core-1"]}], id="one more way"),
        pytest.param(
            [trace("b|c T"), trace("b T", site="n")],
            {},
            [{"parents": ["core-1"]}, {"parents": ["core-2"]}],
            id="one has met one of two that share the load",
        ),
        pytest.param(BOTH, {}, [{"site_parents": ["n:core-1"]}, {"site_parents": ["s:dist"]}], id="two ways"),
        pytest.param(
            [trace("b T"), trace("x T", site="n")], {}, [{"site_parents": ["here:core-1"]}], id="one passes none that is known"
        ),
        pytest.param(
            BOTH, {"site_parents": ["n:core-1"]}, [{"site_parents": ["n:core-1", "s:dist"]}], id="the other one after the first"
        ),
        pytest.param(
            [trace("b|c T"), trace("d T", site="n")],
            {"site_parents": ["here:core-1", "n:dist"]},
            [{"site_parents": ["n:dist", "here:core-1|core-2"]}],
            id="beside the one it shares the load with",
        ),
        pytest.param(
            BOTH,
            {"parents": ["core-1"], "parent_groups": ["x|y"]},
            [{"site_parents": ["s:x|y", "s:dist"]}],
            id="without what the site does not pass, with what no trace shows",
        ),
        pytest.param(
            [trace("a b T", site="n"), trace("a d T", site="s")],
            {"parents": ["core-1"], "parent_groups": ["edge"]},
            [{"site_parents": ["s:edge", "s:dist"]}],
            id="with what it passes",
        ),
        pytest.param([trace("b T")], {"site_parents": ["here:-"]}, [{"site_parents": ["here:core-1"]}], id="in place of none"),
    ],
)  # fmt: skip
def test_what_makes_it_a_parent(
    traces: list[Trace], options: dict[str, list[str]], expected: list[dict[str, list[str]]]
) -> None:
    targets = {name: target(name) for name in NAMES} | {"web": target("web", **options)}
    assert [one.changes for one in suggested("web", traces, ADDRESSES, targets)] == expected


def test_one_that_lies_behind_it_from_the_other_side_is_no_circle() -> None:
    """A ring: from one site web is behind core-1, from the other core-1 is behind web."""
    targets = {name: target(name) for name in NAMES} | {"core-1": target("core-1", site_parents=["s:web"])}
    assert [one.changes for one in suggested("web", BOTH, ADDRESSES, targets)] == [
        {"site_parents": ["n:core-1"]},
        {"site_parents": ["s:dist"]},
    ]
    targets["core-1"] = target("core-1", site_parents=["n:web"])
    assert [one.parent for one in suggested("web", BOTH, ADDRESSES, targets)] == ["dist"]
