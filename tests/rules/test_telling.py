"""Who is told of an incident, and why."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from noc_bus.messages import Contact, NotificationRoute, Target
from noc_bus.time import DAY_MS, Time
from noc_rules.telling import Because, Book, Match, Occasion, is_time, match, quiet_until, reminded, told, within

# A Tuesday.
NOON = Time.parse("2026-11-24T12:00:00.000Z")
NIGHT = Time.parse("2026-11-24T03:00:00.000Z")
ANNA = Contact(id="anna", name="Anna", mails=["anna@noc.test", "anna@home.test"])
NIGHTS = Contact(id="nights", name="Night shift", mails=["nights@noc.test"])
SILENT = Contact(id="silent", name="Nobody reads this", mails=[])
CONTACTS = {one.id: one for one in (ANNA, NIGHTS, SILENT)}
ALL = "ops@noc.test"


def target(name: str = "core-sw-1", **options: Any) -> Target:
    return Target(id=name, name=name, address="192.0.2.1", **options)


def route(name: str = "r", /, **fields: Any) -> NotificationRoute:
    return NotificationRoute(**{"id": name, "name": name, "contacts": ["nights"], **fields})


def occasion(*targets: Target, kind: str = "target-down", severity: str = "major", at: Time = NOON) -> Occasion:
    return Occasion(kind, severity, targets, at)


def book(*routes: NotificationRoute, everybody: tuple[str, ...] = (ALL,)) -> Book:
    return Book(CONTACTS, routes, everybody)


CORE = target(group="core/switches", tags=["paris"])

TELLINGS = [
    # Why it is so, the incident, the routes, who is told and for what reason.
    ("nobody is named: everybody", occasion(CORE), (), {ALL: "told when nobody else is"}),
    (
        "a contact of the target, by its id and by an address",
        occasion(target(contacts=["anna", "bob@noc.test"])),
        (),
        {
            "anna@noc.test": "contact of core-sw-1",
            "anna@home.test": "contact of core-sw-1",
            "bob@noc.test": "contact of core-sw-1",
        },
    ),
    ("a route instead of everybody", occasion(CORE), (route(),), {"nights@noc.test": "route r"}),
    (
        "a route adds to the contacts",
        occasion(target(contacts=["bob@noc.test"])),
        (route(),),
        {"bob@noc.test": "contact of core-sw-1", "nights@noc.test": "route r"},
    ),
    (
        "all routes that match, an address once for all its reasons",
        occasion(target(contacts=["nights@noc.test"])),
        (route("a"), route("b", contacts=["c@noc.test", "nights"])),
        {"nights@noc.test": "contact of core-sw-1, route a, route b", "c@noc.test": "route b"},
    ),
    ("a contact without an address names nobody", occasion(target(contacts=["silent"])), (), {ALL: "told when nobody else is"}),
    ("an unknown contact names nobody", occasion(target(contacts=["gone"])), (), {ALL: "told when nobody else is"}),
    (
        "of two targets one has nobody: everybody too",
        occasion(target("a", contacts=["bob@noc.test"]), target("b")),
        (),
        {"bob@noc.test": "contact of a", ALL: "told when nobody else is"},
    ),
    (
        "a route for the group of one of two",
        occasion(target("a", group="core"), target("b", group="lab")),
        (route(groups=["core"]),),
        {"nights@noc.test": "route r", ALL: "told when nobody else is"},
    ),
    (
        "an incident about a site: routes for targets say nothing of it",
        occasion(kind="site-blind"),
        (route("a", groups=["core"]), route("b", tags=["paris"]), route("c", kinds=["site-blind"], contacts=["anna"])),
        {"anna@noc.test": "route c", "anna@home.test": "route c"},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("why", "incident", "routes", "expected"), TELLINGS, ids=[one[0] for one in TELLINGS])
def test_who_is_told(
    why: str, incident: Occasion, routes: tuple[NotificationRoute, ...], expected: dict[str, str]
) -> None:
    found = told(incident, book(*routes)).recipients
    assert {to: ", ".join(map(str, reasons)) for to, reasons in found.items()} == expected
    assert list(found) == list(expected)


MATCHES = [
    ({}, occasion(CORE), Match.MATCHES),
    ({"groups": ["core"]}, occasion(CORE), Match.MATCHES),
    ({"groups": ["core/switches"]}, occasion(CORE), Match.MATCHES),
    ({"groups": ["core/switch"]}, occasion(CORE), Match.OTHER_GROUP),
    ({"groups": ["lab", "core"]}, occasion(CORE), Match.MATCHES),
    ({"groups": [""]}, occasion(CORE), Match.MATCHES),
    ({"groups": ["core"]}, occasion(), Match.OTHER_GROUP),
    ({"tags": ["paris", "lyon"]}, occasion(CORE), Match.MATCHES),
    ({"tags": ["lyon"]}, occasion(CORE), Match.OTHER_TAGS),
    ({"groups": ["core"], "tags": ["lyon"]}, occasion(CORE), Match.OTHER_TAGS),
    ({"groups": ["lab"], "tags": ["x"]}, occasion(target("a", group="lab"), target("b", tags=["x"])), Match.OTHER_TAGS),
    ({"groups": ["lab"]}, occasion(CORE, target("b", group="lab")), Match.MATCHES),
    ({"severities": ["critical"]}, occasion(CORE), Match.OTHER_SEVERITY),
    ({"severities": ["major", "critical"]}, occasion(CORE), Match.MATCHES),
    ({"kinds": ["site-blind"]}, occasion(CORE), Match.OTHER_KIND),
    ({"kinds": ["target-down"]}, occasion(CORE), Match.MATCHES),
    ({"hours": "Mon-Fri 08:00-18:00"}, occasion(CORE), Match.MATCHES),
    ({"hours": "Mon-Fri 08:00-18:00"}, occasion(CORE, at=NIGHT), Match.OTHER_HOURS),
    ({"hours": "Mon-Fri 08:00-18:00", "zone": "Asia/Tokyo"}, occasion(CORE, at=NIGHT), Match.MATCHES),
    ({"hours": "Sat-Sun 00:00-24:00"}, occasion(CORE), Match.OTHER_HOURS),
]


@pytest.mark.parametrize(("fields", "incident", "expected"), MATCHES)
def test_whether_a_route_matches_and_what_keeps_it_off(
    fields: dict[str, Any], incident: Occasion, expected: Match
) -> None:
    assert match(route(**fields), incident) is expected


def test_hours_follow_the_clock_of_their_zone_over_the_end_of_summer_time() -> None:
    # 07:30 UTC is 09:30 in Paris on the day before the clocks go back, and 08:30 the day after.
    before, after = Time.parse("2026-10-24T07:30:00Z"), Time.parse("2026-10-25T07:30:00Z")
    assert within("Sat-Sun 09:00-10:00", "Europe/Paris", before)
    assert not within("Sat-Sun 09:00-10:00", "Europe/Paris", after)


NIGHTS_OF: Final = [
    # hours, zone, moment, whether it is in them, and when those that it is in end
    ("Mon-Sun 22:00-06:00", "UTC", "2026-11-24T21:59:59.999Z", None),
    ("Mon-Sun 22:00-06:00", "UTC", "2026-11-24T22:00:00Z", "2026-11-25T06:00:00Z"),
    ("Mon-Sun 22:00-06:00", "UTC", "2026-11-25T00:00:00Z", "2026-11-25T06:00:00Z"),
    ("Mon-Sun 22:00-06:00", "UTC", "2026-11-25T05:59:59.999Z", "2026-11-25T06:00:00Z"),
    ("Mon-Sun 22:00-06:00", "UTC", "2026-11-25T06:00:00Z", None),
    # Of the nights of working days Friday's lasts into Saturday, and Sunday's is none of them.
    ("Mon-Fri 22:00-06:00", "UTC", "2026-11-28T05:00:00Z", "2026-11-28T06:00:00Z"),
    ("Mon-Fri 22:00-06:00", "UTC", "2026-11-29T05:00:00Z", None),
    ("Mon-Fri 22:00-06:00", "UTC", "2026-11-30T05:00:00Z", None),
    ("Sun 22:00-06:00", "UTC", "2026-11-30T05:00:00Z", "2026-11-30T06:00:00Z"),
    # The year ends in it, and a month of 28 days.
    ("Thu 22:00-06:00", "UTC", "2026-12-31T23:59:59Z", "2027-01-01T06:00:00Z"),
    ("Sun 22:00-06:00", "UTC", "2027-02-28T23:00:00Z", "2027-03-01T06:00:00Z"),
    # Paris: the clocks go forward at 01:00 UTC on 29 March, back at 01:00 UTC on 25 October.
    ("Sat 22:00-06:00", "Europe/Paris", "2026-03-28T21:00:00Z", "2026-03-29T04:00:00Z"),
    ("Sat 22:00-06:00", "Europe/Paris", "2026-03-29T03:59:59Z", "2026-03-29T04:00:00Z"),
    ("Sat 22:00-06:00", "Europe/Paris", "2026-03-29T04:00:00Z", None),
    ("Sat 22:00-06:00", "Europe/Paris", "2026-10-24T20:00:00Z", "2026-10-25T05:00:00Z"),
    ("Sat 22:00-06:00", "Europe/Paris", "2026-10-24T19:59:59Z", None),
    ("Sat 22:00-06:00", "Europe/Paris", "2026-10-25T04:59:59Z", "2026-10-25T05:00:00Z"),
    # It ends in the hour that is skipped: when the clocks are at 03:00.
    ("Sat 22:00-02:30", "Europe/Paris", "2026-03-29T00:59:59Z", "2026-03-29T01:00:00Z"),
    ("Sat 22:00-02:30", "Europe/Paris", "2026-03-29T01:00:00Z", None),
    # It ends in the hour that comes twice: it is quiet until half past two, and again once it is two o'clock again.
    ("Sat 22:00-02:30", "Europe/Paris", "2026-10-25T00:29:59Z", "2026-10-25T00:30:00Z"),
    ("Sat 22:00-02:30", "Europe/Paris", "2026-10-25T00:30:00Z", None),
    ("Sat 22:00-02:30", "Europe/Paris", "2026-10-25T01:00:00Z", "2026-10-25T01:30:00Z"),
    # Where midnight itself is skipped the night is one, an hour shorter: Beirut, 29 March 2026.
    ("Sat 22:00-06:00", "Asia/Beirut", "2026-03-28T21:59:59Z", "2026-03-29T03:00:00Z"),
    ("Sat 22:00-06:00", "Asia/Beirut", "2026-03-28T22:00:00Z", "2026-03-29T03:00:00Z"),
    # Half an hour: Lord Howe, whose clocks go back at 15:00 UTC on 4 April.
    ("Sat 22:00-06:00", "Australia/Lord_Howe", "2026-04-04T14:00:00Z", "2026-04-04T19:30:00Z"),
]


@pytest.mark.parametrize(("hours", "zone", "moment", "end"), NIGHTS_OF)
def test_hours_over_midnight_are_one_night_by_the_clock_of_their_zone(
    hours: str, zone: str, moment: str, end: str | None
) -> None:
    """As hours of a route and as quiet hours of a contact alike."""
    at = Time.parse(moment)
    assert within(hours, zone, at) is (end is not None)
    sleeper = Contact(id="s", name="S", mails=["s@noc.test"], zone=zone, quiet_hours=hours)
    until = quiet_until("s@noc.test", Book({"s": sleeper}), at)
    assert until == (Time.parse(end) if end else None)


@pytest.mark.parametrize(("hours", "zone"), [("at dusk", "UTC"), ("Mon-Sun 00:00-00:01", "Moon/Crater"), ("", "UTC")])
def test_hours_that_cannot_be_read_keep_nobody_off(hours: str, zone: str) -> None:
    assert within(hours, zone, NOON)


def test_what_is_neither_an_address_nor_a_contact_is_named() -> None:
    found = told(occasion(target(contacts=["gone", "anna"])), book(route(contacts=["old", "anna"])))
    assert found.unknown == ("gone", "old")


ROUTES = st.builds(
    route,
    st.sampled_from(["r1", "r2", "r3"]),
    contacts=st.lists(st.sampled_from(["anna", "nights", "silent", "gone", "z@noc.test"]), min_size=1, max_size=3),
    groups=st.lists(st.sampled_from(["", "core", "lab", "core/x"]), max_size=2),
    tags=st.lists(st.sampled_from(["a", "b"]), max_size=2),
)
TARGETS = st.lists(
    st.builds(
        target,
        st.sampled_from(["t1", "t2", "t3"]),
        group=st.sampled_from(["", "core", "core/x", "lab"]),
        tags=st.lists(st.sampled_from(["a", "b"]), max_size=2),
        contacts=st.lists(st.sampled_from(["anna", "silent", "gone", "z@noc.test"]), max_size=2),
    ),
    max_size=5,
)


@given(TARGETS, st.lists(ROUTES, max_size=3))
def test_nobody_is_forgotten_and_more_targets_or_routes_tell_no_fewer_but_for_everybody(
    targets: list[Target], routes: list[NotificationRoute]
) -> None:
    found = told(occasion(*targets), book(*routes)).recipients
    assert found, "somebody is always told where somebody is told when nobody else is"
    for one in targets:
        assert told(occasion(one), book(*routes)).recipients.keys() <= found.keys()
    matching = {one.id for one in routes if match(one, occasion(*targets)) is Match.MATCHES}
    named = {reason.name for reasons in found.values() for reason in reasons if reason.code is Because.ROUTE}
    assert named <= matching
    assert told(occasion(*targets), book(*routes, everybody=())).recipients.keys() <= found.keys()


# -- escalation, reminders, quiet hours


def test_a_route_with_a_delay_matches_only_what_has_waited_so_long() -> None:
    step = route("boss", after_min=30, contacts=["anna"])
    for waited_s, expected in ((0, Match.LATER), (1799, Match.LATER), (1800, Match.MATCHES)):
        assert match(step, replace(occasion(CORE), waited_s=waited_s)) is expected
    assert list(told(occasion(CORE), book(step)).recipients) == [ALL], "until then nobody else is told"


@pytest.mark.parametrize(
    ("before_s", "after_s", "expected"),
    [(0, 1, False), (1799, 1800, True), (1800, 1801, False), (5399, 5400, True), (5400, 5401, False), (8999, 9001, True)],
)  # fmt: skip
def test_when_it_is_time_to_tell_somebody_more_or_again(before_s: float, after_s: float, expected: bool) -> None:
    assert is_time(book(route(after_min=30, remind_min=60)), before_s, after_s) is expected


@given(
    st.integers(0, 5), st.integers(0, 5), st.lists(st.floats(0.1, 200), max_size=30)
)  # fmt: skip
def test_however_the_time_passes_no_reminder_is_left_out(after_min: int, remind_min: int, steps: list[float]) -> None:
    pages, age_s, seen = book(route(after_min=after_min, remind_min=remind_min)), 0.0, 0
    for step_s in steps:
        due = is_time(pages, age_s, age_s + step_s)
        age_s += step_s
        found = reminded(replace(occasion(CORE), waited_s=age_s), pages)
        number = found["nights@noc.test"].number if found else 0
        assert due or number == seen
        seen = number


def test_of_two_routes_to_one_recipient_each_has_its_own_reminders_and_the_latest_counts() -> None:
    """The second one starts when the first has reminded three times."""
    pages = book(route("slow", remind_min=30), route("fast", after_min=100, remind_min=10))
    found = []
    for minute in range(90, 151, 10):
        one = reminded(replace(occasion(CORE), waited_s=minute * 60), pages)["nights@noc.test"]
        found.append((one.route, one.number))
    assert found == [("slow", 3), ("slow", 3), ("fast", 1), ("slow", 4), ("fast", 3), ("fast", 4), ("slow", 5)]


def test_quiet_hours_end_by_the_clock_of_the_contact() -> None:
    sleeper = Contact(id="s", name="S", mails=["s@noc.test"], zone="Europe/Paris", quiet_hours="Mon-Sun 00:00-07:00")
    pages = Book({"s": sleeper})
    night = Time.parse("2026-11-24T03:00:00Z")
    assert quiet_until("s@noc.test", pages, night) == Time.parse("2026-11-24T06:00:00Z")
    assert quiet_until("s@noc.test", pages, NOON) is None
    assert quiet_until("other@noc.test", pages, night) is None
    always = Book({"s": structs.replace(sleeper, quiet_hours="Mon-Sun 00:00-24:00")})
    assert quiet_until("s@noc.test", always, night) == Time(night + DAY_MS), "nobody is kept from everything for ever"
