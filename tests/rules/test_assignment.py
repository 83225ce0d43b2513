"""What a site is told of a target: only what it pings, with those of its parents that it pings too."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import structs

from noc_bus.codec import decode, encode
from noc_bus.messages import Assignment, Target
from noc_rules.assignment import assigned, assignment


def target(name: str, **options: Any) -> Target:
    return Target(id=name, name=name.upper(), address="192.0.2.1", **options)


@pytest.mark.parametrize(
    ("why", "options", "parents"),
    [
        ("for another site", {"sites": ["rome"]}, None),
        ("for no site at all", {"sites": []}, None),
        ("for all sites", {}, []),
        ("for this one", {"sites": ["rome", "paris"]}, []),
        ("behind what it pings", {"parents": ["here", "everywhere"]}, ["here", "everywhere"]),
        ("behind what only others ping", {"parents": ["there", "here", "nowhere"]}, ["here"]),
        ("with alternatives", {"parents": ["here"], "parent_groups": ["there|everywhere"]}, ["here", "everywhere"]),
        ("with a path of its own", {"parents": ["here"], "site_parents": ["paris:everywhere"]}, ["everywhere"]),
        ("with nothing on its path", {"parents": ["here"], "site_parents": ["paris:-"]}, []),
        ("with a path of another site", {"parents": ["here"], "site_parents": ["rome:everywhere"]}, ["here"]),
    ],
)
def test_a_site_is_told_of_what_it_pings(why: str, options: dict[str, Any], parents: list[str] | None) -> None:
    every = [target("here", sites=["paris"]), target("there", sites=["rome"]), target("everywhere")]
    told = assigned(target("a", **options), "paris", {one.id: one for one in every})
    assert (told.parents if told else None) == parents, why


def test_it_is_told_all_that_decides_how_it_pings_and_judges_and_nothing_that_is_for_people() -> None:
    one = target("a", contacts=["x@y.example"], note="Rack 7", tags=["t"], group="g", interval_s=30, ttl=9, packets=7)
    told = assignment(one, ())
    assert {name: value for name, value in structs.asdict(told).items() if value != getattr(one, name)} == {}
    people = {"name", "note", "tags", "group", "contacts", "policy", "sites", "critical"}
    assert people.isdisjoint(structs.asdict(told))


def test_a_prober_reads_from_its_disk_what_the_version_before_kept_there() -> None:
    """That kept the whole target."""
    one = target("a", parents=["b"], interval_s=30)
    assert decode(encode(one), Assignment) == assignment(one, ["b"])
