"""Which targets are suggested as parents of another, from the ways to it."""

from __future__ import annotations

import pytest

from noc_bus.messages import Trace
from noc_rules.parents import suggested
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
        pytest.param([trace("a b T")], {"core-1": ["x"], "x": ["core-1"]}, {"core-1": {"here": 2}}, id="another circle"),
    ],
)  # fmt: skip
def test_suggested(traces: list[Trace], parents: dict[str, list[str]], expected: dict[str, dict[str, int]]) -> None:
    found = suggested("web", traces, ADDRESSES, parents)
    assert {one.parent: one.sites for one in found} == expected
    assert [one.parent for one in found] == list(expected)
