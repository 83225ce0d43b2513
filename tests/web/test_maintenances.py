"""Maintenances by the HTTP API: what is taken and refused, what others hear of it, and what is kept of the past."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from noc_bus.channels import MAINTENANCES, PROBERS, SERVICES, STATES, VERDICTS
from noc_bus.messages import Maintenance, ServicePresence, State, VerdictState
from noc_bus.mirror import Mirror
from noc_bus.presence import Announcer
from noc_bus.time import DAY_MS, HOUR_MS, Time
from noc_web.catalog.catalog import Catalog
from noc_web.database.opening import FILE_NAME, Database
from tests.parts.waiting import wait_until
from tests.web.conftest import Browser, Service
from tests.web.facts import presence, state, verdict

ALL: list[dict[str, str]] = [{"kind": "everything"}]
SUNDAYS: dict[str, Any] = {
    "title": "Backup", "covers": ALL, "repeats": "weekly", "zone": "Europe/Berlin",
    "from_time": "02:00", "to_time": "04:00", "weekdays": ["sun"],
}  # fmt: skip
WHO = "test"


@pytest.fixture
def operator(service: Service) -> Browser:
    service.catalog.add_target({"id": "sw-1", "address": "10.0.0.1", "group": "core/lan", "tags": ["switch"]}, WHO)
    service.catalog.put_site("paris", {"label": "Paris"}, WHO)
    return service.by("operator")


def retained(service: Service) -> list[str]:
    return [one.id for one in service.hub.now(MAINTENANCES)]


def around_now() -> dict[str, Any]:
    """A window of every day that runs from an hour before until an hour after now."""
    begin, stop = (f"{Time(Time.now() + hours * HOUR_MS).datetime():%H:%M}" for hours in (-1, 1))
    days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
    return SUNDAYS | {"zone": "UTC", "from_time": begin, "to_time": stop, "weekdays": days}


def test_a_window_of_an_hour_from_now_runs_is_told_on_the_bus_and_ends_when_it_is_ended(
    service: Service, operator: Browser
) -> None:
    made = operator.api("POST", "maintenances", {"title": "Firmware: core", "covers": ALL, "minutes": 60}, status=201)
    one = made["maintenance"]
    assert made["state"] == "running"
    assert Time.parse(one["ends_at"]) - Time.parse(one["starts_at"]) == 3_600_000
    assert made["runs_until"] == one["ends_at"]
    assert one["id"].startswith("firmware-core-")
    assert one["by"] == "some-operator"
    assert retained(service) == [one["id"]]

    ended = operator.api("POST", f"maintenances/{one['id']}/end")
    assert ended["state"] == "past"
    service.let_pass(2)
    # Whoever was away is to learn that it ended, not only that it is gone.
    assert retained(service) == [one["id"]]
    refused = operator.api("POST", f"maintenances/{one['id']}/end", status=409)
    assert refused["code"] == "not-running"

    operator.api("DELETE", f"maintenances/{one['id']}", status=204)
    assert retained(service) == []
    assert operator.get(f"maintenances/{one['id']}", 404)["code"] == "not-found"
    acts = [(row["act"], row["who"]) for row in service.catalog.audit() if row["subject"] == one["id"]]
    assert acts == [
        ("delete maintenance", "some-operator"),
        ("end maintenance", "some-operator"),
        ("add maintenance", "some-operator"),
    ]


def test_one_that_repeats_and_is_ended_runs_again_the_next_time(service: Service, operator: Browser) -> None:
    daily = around_now()
    one = operator.api("POST", "maintenances", daily)
    assert one["state"] == "running"
    ended = operator.api("POST", f"maintenances/{one['maintenance']['id']}/end")
    assert ended["state"] == "coming"
    assert ended["next"]["start"] > one["runs_until"]
    # An edit of its title does not let it run again.
    edited = operator.api("PUT", f"maintenances/{one['maintenance']['id']}", daily | {"title": "Another"})
    assert (edited["state"], edited["maintenance"]["title"]) == ("coming", "Another")
    assert edited["maintenance"]["starts_at"] == one["maintenance"]["starts_at"]


def test_all_are_listed_what_runs_first_and_what_is_over_last(operator: Browser) -> None:
    names = {}
    for title, body in {
        "coming": SUNDAYS | {"starts_at": "2099-12-01T00:00:00Z"},
        "running": {"covers": ALL, "minutes": 5},
        "past": {"covers": ALL, "minutes": 5},
    }.items():
        names[title] = operator.api("POST", "maintenances", body | {"title": title})["maintenance"]["id"]
    operator.api("POST", f"maintenances/{names['past']}/end")
    rows = operator.get("maintenances")["maintenances"]
    assert [(row["maintenance"]["title"], row["state"]) for row in rows] == [
        ("running", "running"), ("coming", "coming"), ("past", "past"),
    ]  # fmt: skip
    found = operator.get("maintenances/windows?from=2099-11-24T00:00:00Z&to=2099-12-14T00:00:00Z")
    of_sundays = [one for one in found["windows"] if one["maintenance"] == names["coming"]]
    assert [one["start"] for one in of_sundays] == ["2099-12-06T01:00:00.000Z", "2099-12-13T01:00:00.000Z"]
    assert found["complete"]


@pytest.mark.parametrize(
    ("change", "code", "sentence"),
    [
        ({"title": None}, "not-accepted", "title is missing; use 1 to 120 characters on one line."),
        ({"title": "  "}, "not-accepted", 'title: "  " is not accepted; use 1 to 120 characters on one line.'),
        ({"covers": []}, "not-accepted", ('covers: [] is not accepted; use a list of 1 to 200 like {"kind": "group", "name": "core"}, '
         "each kind target, group, tag, site, incident or everything.")),
        ({"covers": [{"kind": "target", "name": "sw-9"}]}, "does-not-fit", "covers: there is no target 'sw-9'; use one that there is."),
        ({"covers": [{"kind": "group", "name": "lan"}]}, "does-not-fit", "covers: there is no group 'lan'; use one that there is."),
        ({"covers": [{"kind": "tag", "name": "router"}]}, "does-not-fit", "covers: there is no tag 'router'; use one that there is."),
        ({"covers": [{"kind": "site", "name": "rome"}]}, "does-not-fit", "covers: there is no site 'rome'; use one that there is."),
        ({"covers": [{"kind": "everything", "name": "x"}]}, "does-not-fit", "covers: everything has no name; leave 'x' out."),
        ({"repeats": "daily"}, "not-accepted", 'repeats: "daily" is not accepted; use once, weekly or monthly.'),
        ({"zone": "Mars/Olympus"}, "does-not-fit",
         "zone: 'Mars/Olympus' is not accepted; use the name of a time zone that is known here, like Europe/Berlin."),
        ({"zone": "../etc/passwd"}, "does-not-fit",
         "zone: '../etc/passwd' is not accepted; use the name of a time zone that is known here, like Europe/Berlin."),
        ({"from_time": "2:00"}, "not-accepted", 'from_time: "2:00" is not accepted; use a time of the day like 02:00.'),
        ({"to_time": None}, "does-not-fit", "to_time is missing; use a time of the day like 02:00."),
        ({"weekdays": ["sun", "sun"]}, "not-accepted",
         'weekdays: ["sun","sun"] is not accepted; use a list of mon, tue, wed, thu, fri, sat and sun, each once.'),
        ({"weekdays": []}, "does-not-fit", "weekdays is missing; use a list of mon, tue, wed, thu, fri, sat and sun, each once."),
        ({"days": [0]}, "not-accepted", "days: [0] is not accepted; use a list of days of the month from 1 to 31, and -1 for the last, each once."),
        ({"days": [1]}, "does-not-fit", "days is not accepted of a weekly window; leave it out, or repeat monthly."),
        ({"repeats": "monthly"}, "does-not-fit", "weeks is missing; use weeks and weekdays together, or days alone."),
        ({"repeats": "monthly", "weekdays": []}, "does-not-fit",
         "days: use either days, or weeks and weekdays, of a monthly window."),
        ({"repeats": "once", "minutes": 5}, "does-not-fit",
         "from_time is not accepted of a window that runs once; leave it out, or repeat weekly or monthly."),
        ({"ends_at": "2020-01-01T00:00:00Z", "starts_at": "2019-01-01T00:00:00Z"}, "does-not-fit",
         "ends_at: 2020-01-01T00:00:00.000Z is over already; use a time after now."),
        ({"ends_at": "tomorrow"}, "not-accepted", 'ends_at: "tomorrow" is not accepted; use a time like 2026-11-24T22:00:00Z.'),
        ({"minutes": 0}, "not-accepted", "minutes: 0 is not accepted; use a whole number from 1 to 527040."),
        ({"silence": True}, "not-accepted", ("'silence' is no field of a maintenance; use title, covers, repeats, starts_at, ends_at, "
         "minutes, zone, from_time, to_time, weekdays, days, weeks.")),
    ],
)  # fmt: skip
def test_what_is_not_accepted_is_refused_in_a_sentence(
    operator: Browser, change: dict[str, Any], code: str, sentence: str
) -> None:
    refused = operator.api("POST", "maintenances", SUNDAYS | change, status=422)
    assert (refused["detail"], refused["code"]) == (sentence, code)
    assert operator.get("maintenances") == {"maintenances": []}


@pytest.mark.parametrize(
    "kind", ["target sw-1", "group core", "group core/lan", "tag switch", "site paris", "incident 20261124-120006-a"]
)
def test_everything_that_there_is_can_be_covered(operator: Browser, kind: str) -> None:
    what, name = kind.split()
    covers = [{"kind": what, "name": name}]
    made = operator.api("POST", "maintenances", {"title": "t", "covers": covers, "minutes": 1}, status=201)
    assert made["maintenance"]["covers"] == covers


def test_who_reads_the_bus_knows_whether_it_has_all_of_them_and_what_was_deleted_while_it_was_away(
    service: Service, operator: Browser
) -> None:
    for title in ("one", "two"):
        operator.api("POST", "maintenances", {"title": title, "covers": ALL, "minutes": 5})
    reader: Mirror[str, Maintenance] = Mirror(service.others, MAINTENANCES, clock=service.clock_s)
    announcer = Announcer(
        service.bus, SERVICES, lambda: ServicePresence(service="web", online=True, instance=service.bus.instance),
        service.publisher.published, clock=service.clock_s, service="web",
    )  # fmt: skip
    announcer.announce()
    reader.tick()
    assert reader.is_complete
    assert sorted(one.title for one in reader.items().values()) == ["one", "two"]
    service.others.stop()
    gone = next(name for name, one in reader.items().items() if one.title == "one")
    operator.api("DELETE", f"maintenances/{gone}")
    announcer.announce()
    service.others.start()
    service.let_pass(10)
    announcer.announce()
    reader.tick()
    assert [one.title for one in reader.items().values()] == ["two"]
    assert reader.is_complete


def test_what_is_over_for_a_day_is_no_longer_on_the_bus_and_still_in_the_list(
    new_service: Callable[..., Service],
) -> None:
    service = new_service()
    one = service.catalog.add_maintenance({"title": "t", "covers": ALL, "minutes": 5}, WHO)
    long_ago = Time(Time.now() - 2 * DAY_MS)
    with service.database.begin() as connection:
        text = (
            connection.execute("SELECT message FROM maintenance").fetchone()[0].replace(str(one.ends_at), str(long_ago))
        )
        connection.execute("UPDATE maintenance SET message = ?", (text,))
        connection.execute("UPDATE catalog_change SET revision = revision + 1 WHERE kind = 'maintenances'")
    service.start()
    service.let_pass(2)
    assert retained(service) == []
    assert [row["state"] for row in service.by("viewer").get("maintenances")["maintenances"]] == ["past"]


def test_what_each_was_is_remembered_after_an_edit_and_after_it_was_deleted(tmp_path: Path) -> None:
    with closing(Database(tmp_path)) as database:
        catalog = Catalog(database)
        one = catalog.add_maintenance(SUNDAYS, WHO)
        # Two changes within a millisecond are one.
        wait_until(lambda: Time.now() > one.at, 1, "the next millisecond")
        two = catalog.put_maintenance(one.id, SUNDAYS | {"from_time": "03:00"}, WHO)
        wait_until(lambda: Time.now() > two.at, 1, "the next millisecond")
        catalog.delete_maintenance(one.id, WHO)
        kept = Catalog(database).maintenance_past()[one.id]
    assert [(at, past.from_time) for at, past in kept if past] == [(one.at, "02:00"), (two.at, "03:00")]
    assert [past for _, past in kept][2:] == [None]


def test_a_database_of_the_version_before_keeps_all_and_takes_maintenances(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as old, old:
        old.executescript((Path(__file__).parent / "web-0001.sql").read_text())
    with closing(Database(tmp_path)) as database:
        catalog = Catalog(database)
        before = dict(catalog.contents().targets)
        made = catalog.add_maintenance({"title": "t", "covers": [{"kind": "group", "name": "core"}], "minutes": 5}, WHO)
    with closing(Database(tmp_path)) as database:
        contents = Catalog(database).contents()
        assert contents.maintenances == {made.id: made}
        assert dict(contents.targets) == before


def test_what_is_in_maintenance_is_shown_so_with_what_is_measured_until_its_end(
    service: Service, operator: Browser
) -> None:
    say = service.others.publish
    say(PROBERS, presence("paris"))
    say(STATES, state("sw-1", "paris", State.DOWN))
    say(VERDICTS, verdict("sw-1", VerdictState.DOWN, reason="5 checks unanswered"))
    service.follow()

    def row() -> dict[str, Any]:
        found: dict[str, Any] = next(one for one in operator.get("status")["targets"] if one["id"] == "sw-1")
        return found

    assert (row()["state"], row()["maintenance"], row()["measured"]) == ("DOWN", None, None)
    covers = [{"kind": "group", "name": "core"}]
    one = operator.api("POST", "maintenances", {"title": "Firmware", "covers": covers, "minutes": 60})["maintenance"]
    service.follow()
    status, shown = operator.get("status"), row()
    assert (shown["state"], shown["code"], shown["measured"]) == ("MAINTENANCE", "maintenance", "DOWN")
    assert (shown["maintenance"], shown["maintenance_until"]) == (one["id"], one["ends_at"])
    assert shown["reason"] == "Firmware; measured DOWN: 5 checks unanswered"
    assert (status["kpis"]["down"], status["kpis"]["maintenance"]) == (0, 1)
    assert status["maintenances"] == [
        {"id": one["id"], "title": "Firmware", "covers": covers, "since": one["starts_at"], "until": one["ends_at"]}
    ]
    operator.api("POST", f"maintenances/{one['id']}/end")
    service.follow()
    assert (row()["state"], row()["maintenance"], operator.get("status")["maintenances"]) == ("DOWN", None, [])


def test_a_target_is_in_maintenance_where_all_of_its_sites_are(service: Service, operator: Browser) -> None:
    for site in ("paris", "lyon"):
        service.others.publish(PROBERS, presence(site))
    service.catalog.add_target({"id": "only-paris", "address": "10.0.0.2", "sites": ["paris"]}, WHO)
    operator.api(
        "POST", "maintenances", {"title": "Power", "covers": [{"kind": "site", "name": "paris"}], "minutes": 60}
    )
    service.follow()
    found = {row["id"]: row["maintenance"] is not None for row in operator.get("status")["targets"]}
    assert found == {"sw-1": False, "only-paris": True}
