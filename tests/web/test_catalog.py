"""The list of targets: every option and its limits, what groups hand down, and changes that are made whole or not at all."""

from __future__ import annotations

import codecs
import csv
import io
import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from types import NoneType
from typing import Any, get_args, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from noc_bus.codec import decode, encode
from noc_bus.messages import Target, fields_of
from noc_bus.time import Time
from noc_rules.inheritance import OPTIONS
from noc_web.auth.accounts import Accounts
from noc_web.catalog import options, table
from noc_web.catalog.catalog import Catalog, Imported
from noc_web.catalog.table import Listing
from noc_web.database.opening import FILE_NAME, Database
from noc_web.problem import ProblemError
from tests.web.conftest import at_once

WHO = "somebody"


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    database = Database(tmp_path)
    yield Catalog(database)
    database.close()


def refusal(act: Callable[[], Any]) -> ProblemError:
    with pytest.raises(ProblemError) as caught:
        act()
    return caught.value


def import_rows(catalog: Catalog, rows: list[Any], who: str, *, replace: bool) -> tuple[int, int]:
    done = catalog.import_listing(Listing(rows), who, replace=replace)
    return done.added, done.changed


def take(catalog: Catalog, text: str | bytes, *, replace: bool = False) -> Imported:
    data = text.encode() if isinstance(text, str) else text
    return catalog.import_listing(table.read(data), WHO, replace=replace)


# -- one option at a time

ACCEPTED: list[tuple[str, Any]] = [
    ("id", "a"),
    ("id", "0" + "-" * 62),
    ("name", "x" * 120),
    ("name", '"><b>{{7*7}}</b>'),
    ("family", "auto"),
    ("family", "both"),
    ("interval_s", 6),
    ("interval_s", 3600),
    ("packets", 1),
    ("packets", 30),
    ("packet_gap_ms", 1),
    ("packet_gap_ms", 2000.5),
    ("timeout_ms", 10),
    ("timeout_ms", 9000),
    ("size_bytes", 24),
    ("size_bytes", 1472),
    ("ttl", 0),
    ("ttl", 1),
    ("ttl", 255),
    ("down_after", 1),
    ("down_after", 100),
    ("up_after", 1),
    ("up_after", 100),
    ("flap_after", 0),
    ("flap_after", 3),
    ("degraded_loss_pct", 0),
    ("degraded_loss_pct", 100),
    ("degraded_loss_clear_pct", 0),
    ("degraded_loss_clear_pct", 100),
    ("degraded_rtt_ms", 0),
    ("degraded_rtt_clear_ms", 0),
    ("degraded_rtt_clear_ms", 80),
    ("degraded_jitter_ms", 0),
    ("degraded_jitter_ms", 2.5),
    ("degraded_jitter_clear_ms", 0),
    ("degraded_jitter_clear_ms", 2.5),
    ("mail_only_critical", True),
    ("mail_partial", True),
    ("mail_degraded", True),
    ("mail_flapping", False),
    ("degraded_rtt_ms", 600_000),
    ("uptime_goal_pct", 99.95),
    ("uptime_goal_pct", 100),
    ("sites", []),
    ("sites", ["here", "there"]),
    ("policy", "majority"),
    ("policy", "any"),
    ("policy", "all"),
    ("policy", "1"),
    ("policy", "999"),
    ("parents", []),
    ("parent_groups", []),
    ("site_parents", ["paris:-"]),
    ("group", ""),
    ("group", "core"),
    ("group", "core/access routers/3"),
    ("tags", ["a-1"]),
    ("critical", True),
    ("contacts", ["noc@example.org", "o'neill+x@host"]),
    ("paused", True),
    ("replace_tags", True),
    ("replace_contacts", False),
    ("name", "Familie \U0001f468\u200d\U0001f469\u200d\U0001f467"),
    ("name", "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"),
    ("name", "10\u00a0Gbit"),
    ("note", "mit\u00a0\u200b\u00adTrennstellen"),
    ("group", "K\u00f6ln\u00a0S\u00fcd/2. Stock/.versteckt"),
    ("note", "several\nlines"),
    ("note", "n" * 2000),
]

REFUSED: list[tuple[str, Any]] = [
    ("id", ""),
    ("id", "-a"),
    ("id", "A"),
    ("id", "a" * 64),
    ("id", "a\n"),
    ("id", "../a"),
    ("id", 1),
    ("name", ""),
    ("name", "   "),
    ("name", "x" * 121),
    ("name", "a\nb"),
    ("name", "a\u202eb"),
    ("name", "a\x00b"),
    ("address", ""),
    ("address", "10.0.0.256"),
    ("address", "224.0.0.1"),
    ("address", 10),
    ("address", "x" * 254),
    ("family", "5"),
    ("family", 4),
    ("interval_s", 0.999),
    ("interval_s", 3600.1),
    ("interval_s", "10"),
    ("interval_s", True),
    ("packets", 0),
    ("packets", 101),
    ("packets", 1.5),
    ("packet_gap_ms", 0.9),
    ("packet_gap_ms", 60_001),
    ("timeout_ms", 9.9),
    ("timeout_ms", 60_001),
    ("size_bytes", 23),
    ("size_bytes", 1473),
    ("ttl", -1),
    ("ttl", False),
    ("ttl", 256),
    ("down_after", 0),
    ("down_after", 101),
    ("up_after", 0),
    ("up_after", 101),
    ("flap_after", 2),
    ("flap_after", "0"),
    ("flap_after", False),
    ("flap_after", 101),
    ("degraded_loss_pct", -0.1),
    ("degraded_loss_pct", 100.1),
    ("degraded_loss_clear_pct", -0.1),
    ("degraded_rtt_ms", -1),
    ("degraded_rtt_clear_ms", -1),
    ("degraded_jitter_ms", -1),
    ("degraded_jitter_clear_ms", 600_001),
    ("mail_only_critical", 1),
    ("mail_partial", "yes"),
    ("mail_degraded", 1),
    ("mail_flapping", 0),
    ("degraded_rtt_ms", 600_001),
    ("uptime_goal_pct", -0.1),
    ("uptime_goal_pct", 100.1),
    ("sites", "here"),
    ("sites", ["Here"]),
    ("policy", "most"),
    ("policy", "0"),
    ("policy", "1000"),
    ("policy", "any\n"),
    ("parents", ["../x"]),
    ("parent_groups", ["a|"]),
    ("parent_groups", ["a||b"]),
    ("parent_groups", ["A"]),
    ("parent_groups", ["paris:a"]),
    ("parent_groups", ["|".join(["a"] * 11)]),
    ("parent_groups", ["a"] * 21),
    ("site_parents", ["a"]),
    ("site_parents", ["paris:"]),
    ("site_parents", ["paris: a"]),
    ("site_parents", ["paris:-|a"]),
    ("site_parents", {"paris": "a"}),
    ("group", "/core"),
    ("group", "core/"),
    ("group", "core//routers"),
    ("group", " core"),
    ("group", "co\nre"),
    ("group", "co\x7fre"),
    ("group", "/".join(["core"] * 60)),
    ("tags", ["two words"]),
    ("tags", ["a"] * 101),
    ("critical", "true"),
    ("critical", 1),
    ("contacts", ["no c"]),
    ("contacts", ["a@b, c@d"]),
    ("contacts", ["a@b\nBcc: x@y"]),
    ("contacts", ["<a@b>"]),
    ("paused", 0),
    ("replace_tags", "yes"),
    ("replace_contacts", 1),
    ("group", ".."),
    ("group", "core/./x"),
    ("address", "10.0.0.1-20"),
    ("address", "10.0.0.0/24"),
    ("address", "https://example.org/"),
    ("name", "a\u2028b"),
    ("name", "\u200d\u00a0"),
    ("note", "n" * 2001),
    ("note", "a\x00b"),
    ("note", "a\x1b[31m"),
]


@pytest.mark.parametrize(("name", "value"), ACCEPTED, ids=lambda value: repr(value)[:30])
def test_an_option_within_its_limits_is_kept_as_it_was_given(name: str, value: Any) -> None:
    own = options.target_body({"address": "10.0.0.1", name: value})
    assert own[name] == value
    target = options.resolved(own, {})
    assert decode(encode(target), Target) == target


@pytest.mark.parametrize(("name", "value"), REFUSED, ids=lambda value: repr(value)[:30])
def test_an_option_beyond_its_limits_is_refused_in_a_sentence_that_names_it(name: str, value: Any) -> None:
    problem = refusal(lambda: options.target_body({"address": "10.0.0.1", name: value}))
    assert problem.status == 422
    assert [error.field for error in problem.errors] == [name]
    assert problem.errors[0].detail.startswith(f"{name}: ")
    assert "; use " in problem.errors[0].detail
    assert len(problem.errors[0].detail) < 300


def test_every_option_has_a_row_in_both_tables() -> None:
    fields = {*fields_of(Target)} - {"address"}
    assert {name for name, _ in ACCEPTED} == fields
    assert {name for name, _ in REFUSED} == fields | {"address"}


def test_every_mistake_of_a_body_is_told_at_once() -> None:
    problem = refusal(lambda: options.target_body({"address": "999.1.1.1", "packets": 0, "colour": "red"}))
    assert {error.field for error in problem.errors} == {"address", "packets", "colour"}


@pytest.mark.parametrize("body", [None, [], "x", 1, True])
def test_a_body_that_is_no_object_is_refused(body: object) -> None:
    assert refusal(lambda: options.target_body(body)).status == 422


def test_a_body_without_an_address_is_told_what_an_address_is() -> None:
    assert "an IPv4 address" in refusal(lambda: options.target_body({"name": "x"})).detail


def test_null_is_as_good_as_absent() -> None:
    assert options.target_body({"address": "10.0.0.1", "packets": None, "id": None}) == {
        "address": "10.0.0.1",
        "name": "10.0.0.1",
        "id": "10-0-0-1",
    }


@pytest.mark.parametrize("name", [name for name in OPTIONS if NoneType in get_args(get_type_hints(Target)[name])])
def test_what_null_means_in_a_message_can_be_said_against_a_group(catalog: Catalog, name: str) -> None:
    field = options.TARGET[name]
    nothing: object = [] if name == "sites" else 0
    some = next(value for option, value in ACCEPTED if option == name and value)
    assert "null" not in field.description
    catalog.put_group("core", {name: some}, WHO)
    catalog.put_group("core/own", {name: nothing}, WHO)
    for target, group, own in (("a", "core", {}), ("b", "core", {name: nothing}), ("c", "core/own", {})):
        catalog.add_target({"id": target, "address": "10.0.0.1", "group": group, **own}, WHO)
    resolved = catalog.contents().resolved
    assert [getattr(resolved[one], name) for one in "abc"] == [some, None, None]
    assert decode(encode(resolved["b"]), Target) == resolved["b"]
    (read,) = table.read(table.to_csv({"b": catalog.contents().targets["b"]}).encode()).targets
    assert options.target_body(read) == catalog.contents().targets["b"]
    assert getattr(catalog.patch_target("b", {name: None}, WHO), name) == some


def test_a_value_beside_0_is_refused_with_both() -> None:
    problem = refusal(lambda: options.target_body({"address": "10.0.0.1", "flap_after": 2}))
    assert problem.detail == "flap_after: 2 is not accepted; use a whole number from 3 to 100, or 0."


@pytest.mark.parametrize(
    ("body", "id_made"),
    [
        ({"name": "Core Röuter 1", "address": "10.0.0.1"}, "core-router-1"),
        ({"address": "router.example.org"}, "router-example-org"),
        ({"address": "2001:db8::1"}, "2001-db8-1"),
        ({"name": "東京", "address": "10.0.0.1"}, "10-0-0-1"),
        ({"name": "--", "address": "host"}, "host"),
        ({"name": "x" * 100, "address": "host"}, "x" * 63),
    ],
)
def test_an_id_is_made_of_the_name_or_the_address(body: dict[str, Any], id_made: str) -> None:
    assert options.target_body(body)["id"] == id_made


def test_where_no_id_can_be_made_one_is_asked_for() -> None:
    problem = refusal(lambda: options.target_body({"name": "東京", "address": "_"}))
    assert problem.errors[0].field == "id"


def test_the_name_made_of_a_long_address_is_cut_to_what_a_name_may_be(catalog: Catalog) -> None:
    address = ".".join(["a" * 60] * 4)
    target = catalog.add_target({"address": address}, WHO)
    assert target.address == address
    assert target.name == address[:120]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"interval_s": 2, "timeout_ms": 2000}, "timeout_ms"),
        ({"interval_s": 1.5, "packets": 5}, "packets"),
        ({"packets": 100}, "packets"),
        ({"packet_gap_ms": 5000}, "packets"),
    ],
)
def test_options_that_do_not_fit_into_the_interval_together_are_refused(
    catalog: Catalog, fields: dict[str, Any], field: str
) -> None:
    problem = refusal(lambda: catalog.add_target({"address": "10.0.0.1", **fields}, WHO))
    assert [error.field for error in problem.errors] == [field]
    assert catalog.contents().targets == {}


# -- inheritance


def test_a_target_has_its_own_options_then_those_of_the_nearest_group(catalog: Catalog) -> None:
    catalog.put_group("core", {"interval_s": 30, "packets": 3, "tags": ["core"]}, WHO)
    catalog.put_group("core/routers", {"packets": 4}, WHO)
    target = catalog.add_target({"address": "10.0.0.1", "group": "core/routers/a", "tags": ["own"]}, WHO)
    assert (target.interval_s, target.packets, target.tags) == (30, 4, ["core", "own"])
    assert catalog.contents().targets[target.id].keys() == {"id", "name", "address", "group", "tags"}
    assert catalog.patch_target(target.id, {"replace_tags": True}, WHO).tags == ["own"]
    catalog.put_group("core", {"interval_s": 60}, WHO)
    assert catalog.contents().resolved[target.id].interval_s == 60
    catalog.delete_group("core", WHO)
    assert catalog.contents().resolved[target.id].interval_s == 10


def test_defaults_for_all_targets_are_the_options_of_the_root(catalog: Catalog) -> None:
    catalog.add_target({"id": "a", "address": "10.0.0.1"}, WHO)
    catalog.put_group("", {"interval_s": 60, "contacts": ["noc@example.org"]}, WHO)
    assert catalog.contents().resolved["a"].interval_s == 60
    assert catalog.contents().resolved["a"].contacts == ["noc@example.org"]


def test_more_tags_than_a_target_may_have_with_those_of_its_groups_are_refused_by_number(catalog: Catalog) -> None:
    catalog.put_group("core", {"tags": [f"g{number}" for number in range(60)]}, WHO)
    body = {"id": "a", "address": "10.0.0.1", "group": "core", "tags": [f"t{number}" for number in range(60)]}
    problem = refusal(lambda: catalog.add_target(body, WHO))
    assert "tags: 120 together with those of its groups are not accepted; use at most 100." in problem.detail
    assert problem.code == "does-not-fit"


def test_the_same_address_twice_is_accepted_with_a_warning_that_names_the_other(catalog: Catalog) -> None:
    first = catalog.add_target({"id": "a", "name": "Shop", "address": "10.0.0.1"}, WHO)
    assert catalog.warnings_about(first) == []
    second = catalog.add_target({"id": "b", "address": "10.0.0.1"}, WHO)
    assert catalog.warnings_about(second) == ["address: 10.0.0.1 is also the address of Shop (a)."]


# -- beside other processes


def test_what_another_process_changes_is_read_alone_and_what_it_leaves_alone_stays_the_same(tmp_path: Path) -> None:
    with closing(Database(tmp_path)) as one, closing(Database(tmp_path)) as other:
        told: list[int] = []
        here, there = Catalog(one, lambda: told.append(1)), Catalog(other)
        for number in range(20):
            there.add_target({"id": f"t{number}", "address": "10.0.0.1", "group": "core"}, WHO)
        here.follow()
        before, resolved_before = here.contents(), here.resolved_total
        there.patch_target("t3", {"packets": 2}, WHO)
        there.delete_target("t4", WHO)
        there.put_site("here", {}, WHO)
        here.follow()
        after = here.contents()
        assert here.resolved_total - resolved_before == 1
        assert after.resolved == there.contents().resolved
        same = [name for name in after.resolved if after.resolved[name] is before.resolved[name]]
        assert sorted(same) == sorted({f"t{number}" for number in range(20)} - {"t3", "t4"})
        assert len(told) == 2
        here.follow()
        assert len(told) == 2


def test_changes_of_two_processes_build_on_each_other(tmp_path: Path) -> None:
    with closing(Database(tmp_path)) as one, closing(Database(tmp_path)) as other:
        here, there = Catalog(one), Catalog(other)
        here.add_target({"id": "a", "address": "10.0.0.1", "group": "core"}, WHO)
        there.put_group("core", {"packets": 2}, WHO)
        assert here.patch_target("a", {"note": "x"}, WHO).packets == 2
        assert refusal(lambda: there.add_target({"id": "a", "address": "10.0.0.1"}, WHO)).code == "exists"
        there.follow()
        assert here.contents() == there.contents()


@pytest.mark.thorough
def test_whoever_is_far_behind_or_ahead_reads_everything_again(tmp_path: Path) -> None:
    with closing(Database(tmp_path)) as one, closing(Database(tmp_path)) as other:
        here, there = Catalog(one), Catalog(other)
        here.add_target({"id": "a", "address": "10.0.0.1"}, WHO)
        for number in range(1100):
            there.patch_target("a", {"note": str(number)}, WHO)
        here.follow()
        assert here.contents() == there.contents()
        with other.begin() as connection:
            connection.execute("DELETE FROM catalog_change")
            connection.execute("UPDATE target SET own = json_set(own, '$.note', 'restored')")
            connection.execute("INSERT INTO catalog_change VALUES ('groups', '', 5)")
        here.follow()
        assert here.contents().resolved["a"].note == "restored"


def test_log_ins_sessions_and_notes_cost_the_catalogue_nothing(tmp_path: Path) -> None:
    with closing(Database(tmp_path)) as database:
        told: list[int] = []
        catalog, accounts = Catalog(database, lambda: told.append(1)), Accounts(database)
        accounts.add_user("anna", "viewer", "seventeen green bottles")
        catalog.add_target({"id": "a", "address": "10.0.0.1"}, WHO)
        before, calls, resolved = catalog.contents(), len(told), catalog.resolved_total
        found = accounts.log_in("anna", "seventeen green bottles")
        assert found
        assert accounts.who(found[0])
        catalog.note(WHO, "log in", "anna")
        catalog.follow()
        assert catalog.contents() is before
        assert (len(told), catalog.resolved_total) == (calls, resolved)


def test_lists_that_replaced_those_above_them_before_an_upgrade_go_on_replacing(tmp_path: Path) -> None:
    """Until revision 0002 the nearest list was the only one in force."""
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as old, old:
        old.executescript((Path(__file__).parent / "web-0001.sql").read_text())
    with closing(Database(tmp_path)) as database:
        resolved = Catalog(database).contents().resolved
    assert {name: target.tags for name, target in resolved.items()} == {
        "inherits": ["core"],
        "replaces": ["own"],
        "empties": [],
        "alone": ["own"],
    }
    assert resolved["replaces"].contacts == ["root@example.org"]


def test_the_audit_is_kept_for_as_long_as_is_set(tmp_path: Path) -> None:
    with closing(Database(tmp_path)) as database:
        with database.begin() as connection:
            for days in (5, 15):
                at = int(Time.now()) - days * 86_400_000
                row = (at, "anna", f"{days} days ago", "", "{}")
                connection.execute("INSERT INTO audit (at, who, act, subject, detail) VALUES (?, ?, ?, ?, ?)", row)
        catalog = Catalog(database, keep_audit_days=10)
        catalog.note(WHO, "now", "")
        assert [row["act"] for row in catalog.audit()] == ["now", "5 days ago"]


def test_a_patch_with_null_gives_an_option_back_to_the_group(catalog: Catalog) -> None:
    catalog.put_group("core", {"packets": 3}, WHO)
    catalog.add_target({"id": "a", "address": "10.0.0.1", "group": "core", "packets": 9, "note": "kept"}, WHO)
    target = catalog.patch_target("a", {"packets": None}, WHO)
    assert (target.packets, target.note) == (3, "kept")


def test_a_group_change_that_a_member_cannot_bear_is_refused_with_its_name(catalog: Catalog) -> None:
    catalog.add_target({"id": "a", "address": "10.0.0.1", "group": "core", "timeout_ms": 5000}, WHO)
    problem = refusal(lambda: catalog.put_group("core", {"interval_s": 5}, WHO))
    assert problem.detail.startswith("a: timeout_ms")
    assert catalog.contents().groups == {}


@pytest.mark.parametrize("name", sorted({*fields_of(Target)} - {*OPTIONS}))
def test_what_describes_one_target_cannot_be_set_on_a_group(catalog: Catalog, name: str) -> None:
    assert "not an option" in refusal(lambda: catalog.put_group("core", {name: "x"}, WHO)).detail


@pytest.mark.parametrize("path", ["", "/", "a/", "/a", "a//b", "a\nb", "x" * 64, "/".join(["a"] * 200)])
def test_a_group_that_no_target_could_be_in_is_refused(catalog: Catalog, path: str) -> None:
    if path:
        assert refusal(lambda: catalog.put_group(path, {}, WHO)).status == 422
    else:
        catalog.put_group(path, {"packets": 2}, WHO)
        assert catalog.add_target({"address": "10.0.0.1", "group": "any"}, WHO).packets == 2


# -- parents


def test_a_parent_that_is_no_target_is_refused(catalog: Catalog) -> None:
    problem = refusal(lambda: catalog.add_target({"address": "10.0.0.1", "parents": ["nobody"]}, WHO))
    assert problem.errors[0].field == "parents"


def test_a_target_cannot_be_its_own_parent(catalog: Catalog) -> None:
    problem = refusal(lambda: catalog.add_target({"id": "a", "address": "10.0.0.1", "parents": ["a"]}, WHO))
    assert "circular dependency: a → a;" in problem.detail


def test_a_circle_of_parents_is_refused_and_shown(catalog: Catalog) -> None:
    for name, parents in (("a", []), ("b", ["a"]), ("c", ["a", "b"]), ("d", ["c"])):
        catalog.add_target({"id": name, "address": "10.0.0.1", "parents": parents}, WHO)
    problem = refusal(lambda: catalog.patch_target("a", {"parents": ["d"]}, WHO))
    assert "circular dependency: a → d → c → a;" in problem.detail
    assert "parents" not in catalog.contents().targets["a"] or catalog.contents().targets["a"]["parents"] == []


@pytest.mark.parametrize(
    ("options", "field", "sentence"),
    [
        ({"parent_groups": ["a|nobody"]}, "parent_groups", "parent_groups: 'nobody' of t is no target"),
        ({"site_parents": ["paris:a|nobody"]}, "site_parents", "site_parents: 'nobody' of t is no target"),
        ({"parent_groups": ["a|t"]}, "parent_groups", "parent_groups: circular dependency: t → t;"),
        ({"parents": ["c"]}, "parents", "parents: circular dependency: t → c → t (from lyon);"),
        ({"parent_groups": ["a", "z|b"]}, "parent_groups", "parent_groups: circular dependency: t → b → t;"),
        ({"site_parents": ["paris:b"]}, "site_parents", "site_parents: circular dependency: t → b → t (from paris);"),
        ({"site_parents": ["lyon:c"]}, "site_parents", "site_parents: circular dependency: t → c → t (from lyon);"),
    ],
)
def test_groups_and_parents_by_site_are_checked_too(
    catalog: Catalog, options: dict[str, list[str]], field: str, sentence: str
) -> None:
    for site in ("paris", "lyon"):
        catalog.put_site(site, {}, WHO)
    for name in "atbcz":
        catalog.add_target({"id": name, "address": "10.0.0.1"}, WHO)
    catalog.patch_target("b", {"parent_groups": ["t"]}, WHO)
    catalog.patch_target("c", {"site_parents": ["lyon:t", "paris:z"]}, WHO)
    catalog.patch_target("t", {"site_parents": ["paris:c"]}, WHO)
    problem = refusal(lambda: catalog.patch_target("t", options, WHO))
    assert problem.errors[0].field == field
    assert problem.detail.startswith(sentence)
    assert catalog.contents().resolved["t"].parent_groups == []


def test_parents_from_a_site_that_is_not_there_are_refused_where_they_are_entered(tmp_path: Path) -> None:
    with closing(Database(tmp_path)) as database:
        catalog = Catalog(database, is_seen=lambda site: site == "oslo")
        mars = {"id": "b", "address": "10.0.0.2", "site_parents": ["mars:a"]}
        catalog.add_target({"id": "a", "address": "10.0.0.1"}, WHO)
        problem = refusal(lambda: catalog.add_target(mars, WHO))
        assert problem.detail == "site_parents: 'mars' of b is no site; use sites that are set up; there are none yet."
        catalog.put_site("paris", {}, WHO)
        catalog.put_site("lyon", {}, WHO)
        # One that is set up by nobody may have been heard.
        catalog.add_target(mars | {"site_parents": ["paris:a", "oslo:-"]}, WHO)
        for attempt in (
            lambda: catalog.patch_target("b", {"site_parents": ["paris:a", "mars:-"]}, WHO),
            lambda: catalog.tried_target("b", {"site_parents": ["mars:a"]}),
            lambda: take(catalog, json.dumps({"targets": [mars | {"id": "c"}]})),
        ):
            problem = refusal(attempt)
            assert problem.detail.endswith(" is no site; use lyon, paris.")
            assert (problem.errors[0].field, problem.code) == ("site_parents", "does-not-fit")
        # A file may bring its sites, and a site may go before what names it is changed.
        take(catalog, json.dumps({"sites": [{"id": "mars"}], "targets": [mars | {"id": "c"}]}))
        catalog.delete_site("mars", WHO)
        catalog.patch_target("c", {"note": "rack 4"}, WHO)
        catalog.patch_target("c", {"site_parents": []}, WHO)
        assert "'mars' of c" in refusal(lambda: catalog.patch_target("c", {"site_parents": ["mars:a"]}, WHO)).detail


@pytest.mark.parametrize(
    "options", [{"parents": ["a"]}, {"parent_groups": ["c|a"]}, {"site_parents": ["paris:c|a"]}], ids=lambda one: next(iter(one))
)  # fmt: skip
def test_a_parent_cannot_be_deleted_before_its_children(catalog: Catalog, options: dict[str, list[str]]) -> None:
    catalog.put_site("paris", {}, WHO)
    catalog.add_target({"id": "a", "address": "10.0.0.1"}, WHO)
    catalog.add_target({"id": "c", "address": "10.0.0.1"}, WHO)
    catalog.add_target({"id": "b", "address": "10.0.0.2", **options}, WHO)
    problem = refusal(lambda: catalog.delete_target("a", WHO))
    assert (problem.status, "b" in problem.detail) == (409, True)
    catalog.delete_target("b", WHO)
    catalog.delete_target("a", WHO)
    assert [*catalog.contents().targets] == ["c"]


# -- whole or not at all, one after the other


def test_an_id_is_for_life_and_taken_once(catalog: Catalog) -> None:
    catalog.add_target({"id": "a", "address": "10.0.0.1"}, WHO)
    assert refusal(lambda: catalog.add_target({"id": "a", "address": "10.0.0.2"}, WHO)).status == 409
    assert "for life" in refusal(lambda: catalog.put_target("a", {"id": "b", "address": "10.0.0.2"}, WHO)).detail
    assert catalog.put_target("a", {"id": None, "address": "10.0.0.2"}, WHO).address == "10.0.0.2"
    assert refusal(lambda: catalog.put_target("b", {"address": "10.0.0.2"}, WHO)).status == 404
    assert refusal(lambda: catalog.patch_target("b", {"address": "10.0.0.2"}, WHO)).status == 404
    assert refusal(lambda: catalog.delete_target("b", WHO)).status == 404


def test_of_many_who_add_the_same_target_at_once_one_does(catalog: Catalog) -> None:
    outcomes = at_once(8, lambda number: catalog.add_target({"id": "a", "address": f"10.0.0.{number}"}, WHO))
    refused = [one for one in outcomes if isinstance(one, ProblemError)]
    added = [one for one in outcomes if isinstance(one, Target)]
    assert (len(refused), len(added)) == (7, 1)
    assert {one.status for one in refused} == {409}
    assert catalog.contents().resolved == {"a": added[0]}


def test_changes_of_different_options_at_once_are_all_kept(catalog: Catalog) -> None:
    catalog.add_target({"id": "a", "address": "10.0.0.1"}, WHO)
    patches: list[dict[str, Any]] = [
        {"note": "n"},
        {"tags": ["t"]},
        {"critical": True},
        {"ttl": 9},
        {"packets": 2},
        {"size_bytes": 99},
    ]
    outcomes = at_once(len(patches), lambda number: catalog.patch_target("a", patches[number], WHO))
    assert not [one for one in outcomes if not isinstance(one, Target)]
    own = catalog.contents().targets["a"]
    assert all(own.items() >= patch.items() for patch in patches)


def test_every_change_is_in_the_audit_with_who_made_it(catalog: Catalog) -> None:
    catalog.add_target({"id": "a", "address": "10.0.0.1"}, "anna")
    catalog.patch_target("a", {"note": "x"}, "bert")
    import_rows(catalog, [{"id": "b", "address": "10.0.0.2"}], "carl", replace=False)
    catalog.delete_target("a", "dora")
    refusal(lambda: catalog.delete_target("a", "emil"))
    audit = catalog.audit()
    assert [(row["who"], row["act"], row["subject"]) for row in audit] == [
        ("dora", "delete target", "a"),
        ("carl", "import targets", ""),
        ("bert", "change target", "a"),
        ("anna", "add target", "a"),
    ]
    assert audit[1]["detail"] == {"added": 1, "changed": 0, "groups": 0, "sites": 0}
    assert audit[2]["detail"]["note"] == "x"


# -- files


def test_an_import_is_made_whole_or_not_at_all_and_names_every_bad_row(catalog: Catalog) -> None:
    rows: list[object] = [
        {"id": "a", "address": "10.0.0.1"},
        {"id": "b", "address": "10.0.0.256"},
        {"id": "c", "address": "10.0.0.3", "packets": 0},
        {"id": "a", "address": "10.0.0.4"},
        "no object",
        {"id": "d", "address": "10.0.0.5", "interval_s": 1},
    ]
    problem = refusal(lambda: import_rows(catalog, rows, WHO, replace=True))
    assert [error.field for error in problem.errors] == ["row 2", "row 3", "row 4", "row 5", "row 6"]
    assert all(error.detail.startswith(f"Row {error.field[4:]}: ") for error in problem.errors)
    assert "row 1" in problem.errors[2].detail
    assert catalog.contents().targets == {}
    assert import_rows(catalog, rows[:1], WHO, replace=False) == (1, 0)


def test_an_import_changes_what_exists_only_when_told_to(catalog: Catalog) -> None:
    catalog.add_target({"id": "a", "address": "10.0.0.1", "note": "old"}, WHO)
    rows = [{"id": "a", "address": "10.0.0.2"}, {"id": "b", "address": "10.0.0.3", "parents": ["a"]}]
    assert "exists already" in refusal(lambda: import_rows(catalog, rows, WHO, replace=False)).detail
    assert import_rows(catalog, rows, WHO, replace=True) == (1, 1)
    assert catalog.contents().targets["a"] == {"id": "a", "name": "10.0.0.2", "address": "10.0.0.2"}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "no column address"),
        ("name,ip\na,10.0.0.1\n", "no column address"),
        ("address,address\na,b\n", "'address' twice"),
        ("address,note\n10.0.0.1,a,b\n10.0.0.2,a\n10.0.0.3,a,b", "row 1, row 3"),
        ("address\n" + "x" * 200_000, "not CSV"),
        ('address,note\n10.0.0.1,"a\n10.0.0.2,b\n', "not CSV: a double quote is not closed"),
        ('address,note\n10.0.0.1,"a"b\n', "not CSV"),
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ('[{"address": "10.0.0.1", "interval_s": NaN}]', "not JSON"),
        ('[{"address": "10.0.0.1", "note": "\\ud800"}]', "not JSON"),
        ('{"groups": {}}', "no list of targets"),
        ("[1]", "not a JSON object"),
    ],
    ids=lambda value: value[:20],
)
def test_a_file_that_is_not_what_it_should_be_is_refused_in_a_sentence(
    catalog: Catalog, text: str, sentence: str
) -> None:
    problem = refusal(lambda: take(catalog, text))
    assert sentence in problem.detail
    assert problem.status == 422


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("interval_s", "nan"),
        ("interval_s", "inf"),
        ("interval_s", "1_0"),
        ("interval_s", "\u0663"),
        ("packets", "1e400"),
        ("critical", "maybe"),
        ("packets", "many"),
    ],
)
def test_a_cell_that_cannot_be_read_is_refused_by_name(catalog: Catalog, cell: str, value: str) -> None:
    problem = refusal(lambda: take(catalog, f"address,{cell}\n10.0.0.1,{value}\n"))
    assert f'Row 1: {cell}: "{value}" is not accepted' in problem.detail


def test_a_csv_of_another_country_s_spreadsheet_is_read(catalog: Catalog) -> None:
    text = '\ufeffaddress;name;tags;critical;note\r\n10.0.0.1;"a;b";x, y;YES;"two\r\nlines"\r\n\r\n'
    take(catalog, text)
    own = catalog.contents().targets["a-b"]
    assert (own["tags"], own["critical"], own["note"]) == (["x", "y"], True, "two\nlines")


FORMULAS = ['=HYPERLINK("http://x")', "+1", "-1", "@SUM(A1)", "\t=1", "'=1", "''", "'tis", "\n=1"]


@pytest.mark.parametrize("text", FORMULAS)
def test_no_cell_of_an_export_is_a_formula_and_none_comes_back_changed(text: str) -> None:
    own = options.target_body({"address": "10.0.0.1", "note": text})
    written = table.to_csv({own["id"]: own})
    assert table.guarded(text)[0] == "'"
    (row,) = table.read(written.encode()).targets
    assert options.target_body(row) == own


# U+FFFD stands where letters were lost, and is refused.
NAMES = st.text(st.characters(exclude_categories=["C", "Z"], exclude_characters="\ufffd"), min_size=1, max_size=40)
SLUGS = st.from_regex(r"[a-z0-9][a-z0-9-]{0,20}", fullmatch=True)
NOTES = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], include_characters="\n\t", exclude_characters="\ufffd"), max_size=60
)
OWN = st.fixed_dictionaries(
    {"id": SLUGS, "name": NAMES, "address": st.sampled_from(["10.0.0.1", "2001:db8::1", "host.example"])},
    optional={
        "interval_s": st.floats(61, 3600, allow_nan=False),
        "packets": st.integers(1, 20),
        "policy": st.sampled_from(["any", "all", "majority", "3"]),
        "family": st.sampled_from(["auto", "4", "6", "both"]),
        "sites": st.lists(SLUGS, max_size=3),
        "parent_groups": st.lists(st.sampled_from(["a", "b|c"]), max_size=2, unique=True),
        "site_parents": st.lists(st.sampled_from(["paris:a|b", "paris:c", "lyon:-"]), max_size=3, unique=True),
        "tags": st.lists(SLUGS, max_size=3),
        "contacts": st.lists(st.sampled_from(["a@b.example", "c+d@e.example"]), max_size=2),
        "group": st.lists(NAMES, min_size=1, max_size=3).map(
            lambda names: "/".join(n.replace("/", "").strip(".") or "g" for n in names)
        ),
        "critical": st.booleans(),
        "ttl": st.integers(1, 255),
        "note": NOTES.filter(bool),
    },
)


@given(st.lists(OWN, max_size=4, unique_by=lambda own: own["id"]))
@settings(deadline=None)
def test_what_is_exported_comes_back_the_same_from_csv_and_json(bodies: list[dict[str, Any]]) -> None:
    targets = {own["id"]: own for own in map(options.target_body, bodies)}
    for text in (table.to_csv(targets), table.to_json(targets, {}, {})):
        assert {own["id"]: own for own in map(options.target_body, table.read(text.encode()).targets)} == targets


def test_round_trips_lose_nothing_an_empty_noc_becomes_the_same(tmp_path: Path) -> None:
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
    with closing(Database(tmp_path / "old")) as old, closing(Database(tmp_path / "new")) as new:
        before, after = Catalog(old), Catalog(new)
        before.put_group("", {"interval_s": 30, "contacts": ["noc@example.org"]}, WHO)
        before.put_group("core/routers", {"tags": ["core"], "sites": [], "replace_contacts": True}, WHO)
        before.put_site("berlin", {"label": "Berlin", "anchors": ["10.0.0.9"], "expected": False}, WHO)
        before.add_target({"id": "y", "address": "10.0.0.3"}, WHO)
        before.add_target({"id": "z", "address": "10.0.0.1", "note": "one\ntwo"}, WHO)
        before.add_target(
            {
                "id": "a",
                "address": "10.0.0.2",
                "parents": ["z"],
                "parent_groups": ["z|y"],
                "site_parents": ["berlin:y|z"],
                "group": "core/routers/x",
            },
            WHO,
        )
        kept = before.contents()
        text = table.to_json(kept.targets, kept.groups, kept.sites)
        assert take(after, text) == Imported(added=3, changed=0, groups=2, sites=1)
        found = after.contents()
        assert (found.targets, found.groups, found.sites) == (kept.targets, kept.groups, kept.sites)
        assert found.resolved == kept.resolved
        assert take(after, text, replace=True) == Imported(added=0, changed=3)
        assert table.to_json(found.targets, found.groups, found.sites) == text


def test_a_group_or_site_that_is_there_and_differs_is_changed_only_when_told_to(catalog: Catalog) -> None:
    catalog.put_group("core", {"packets": 3}, WHO)
    catalog.put_site("here", {"label": "Here"}, WHO)
    text = '{"targets": [], "groups": {"core": {"packets": 4}}, "sites": [{"id": "here", "label": "There"}]}'
    problem = refusal(lambda: take(catalog, text))
    assert [error.field for error in problem.errors] == ["group core", "site 1"]
    assert catalog.contents().groups == {"core": {"packets": 3}}
    assert take(catalog, text, replace=True) == Imported(groups=1, sites=1)
    assert catalog.contents().sites["here"].label == "There"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('{"targets": [], "users": []}', "'users' is not part"),
        ('{"targets": [], "groups": {"a": {"colour": "red"}}}', "Group a: 'colour' is not an option"),
        ('{"targets": [], "groups": {"..": {}}}', "'..' cannot be the name of a group"),
        ('{"targets": [], "sites": [{"id": "x", "planet": 3}]}', "Site 1: 'planet' is not an option"),
        ('{"targets": [], "sites": [{"label": "x"}]}', "Site 1: id is missing"),
        ('{"targets": [], "sites": {}}', "sites a list"),
        ('[{"address": "a", "colour": "red"}]', "Row 1: 'colour' is not an option"),
        ("address,colour\na,red\n", "'colour', which is no option"),
    ],
)
def test_round_trips_lose_nothing_what_is_not_known_is_refused(catalog: Catalog, text: str, sentence: str) -> None:
    assert sentence in refusal(lambda: take(catalog, text)).detail
    assert catalog.contents().groups == {}


def test_an_import_of_many_groups_resolves_each_target_once_and_names_who_does_not_bear_it(catalog: Catalog) -> None:
    for name in ("one", "two"):
        catalog.add_target({"id": name, "address": "10.0.0.1", "group": "a/b", "interval_s": 2}, WHO)
    catalog.add_target({"id": "elsewhere", "address": "10.0.0.1", "group": "ab"}, WHO)
    before = catalog.resolved_total
    new = {"id": "new", "address": "10.0.0.1", "group": "a"}
    groups: dict[str, object] = {"a": {"packets": 3}, "a/b": {"ttl": 9}, **{f"x/{number}": {} for number in range(50)}}
    assert catalog.import_listing(Listing([new], groups), WHO, replace=False) == Imported(added=1, groups=52)
    assert catalog.resolved_total - before == 3
    resolved = catalog.contents().resolved
    assert [resolved[name].packets for name in ("one", "new", "elsewhere")] == [3, 3, 5]
    assert resolved["two"].ttl == 9
    too_long = Listing([], {"a": {"packets": 20}})
    problem = refusal(lambda: catalog.import_listing(too_long, WHO, replace=True))
    assert [error.field for error in problem.errors] == ["target one", "target two"]
    assert catalog.contents().groups["a"] == {"packets": 3}


# -- files for people


def test_files_for_people_open_right_in_a_spreadsheet(catalog: Catalog) -> None:
    catalog.add_target({"id": "a", "address": "10.0.0.1", "name": "Köln Süd"}, WHO)
    written = table.to_csv(catalog.contents().targets).encode()
    assert written.startswith(codecs.BOM_UTF8)
    assert take(catalog, written, replace=True) == Imported(changed=1)
    assert catalog.contents().targets["a"]["name"] == "Köln Süd"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_files_for_people_come_back_as_spreadsheets_write_them(
    catalog: Catalog, encoding: str, separator: str, end: str
) -> None:
    rows = [
        ["address", "name", "critical", "paused", "interval_s", "degraded_loss_pct", "tags", "note"],
        ["10.0.0.1", "Köln", "TRUE", "FALSE", "15", '"2,5"', "a b", '"x ""y"""'],
        ["", "", "", "", "", "", "", ""],
    ]
    text = end.join(separator.join(row) for row in rows) + end
    assert take(catalog, text.encode(encoding)) == Imported(added=1)
    own = catalog.contents().targets["koln"]
    assert (own["critical"], own["paused"], own["interval_s"], own["degraded_loss_pct"]) == (True, False, 15, 2.5)
    assert (own["name"], own["tags"], own["note"]) == ("Köln", ["a", "b"], 'x "y"')


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_files_for_people_may_have_rows_and_columns_in_which_there_is_nothing(catalog: Catalog, separator: str) -> None:
    rows = [["", "", "", ""], [" Address ", "NAME", "", ""], ["10.0.0.1", "a,b;c", "", " "], ["", " ", "", ""]]
    out = io.StringIO()
    csv.writer(out, delimiter=separator).writerows(rows)
    assert take(catalog, f"\r\n{out.getvalue()}") == Imported(added=1)
    assert catalog.contents().targets["a-b-c"]["name"] == "a,b;c"


def test_files_for_people_keep_breaks_within_quotes_whatever_ends_their_lines(catalog: Catalog) -> None:
    """As Excel saves what it opened as "Unicode text": tabs, UTF-16, lines that end in CRLF, breaks in a cell in LF."""
    text = 'address\tnote\tdegraded_rtt_ms\r\n10.0.0.1\t"one\ntwo ""three"""\t1,125\r\n'
    assert take(catalog, text.encode("utf-16")) == Imported(added=1)
    own = catalog.contents().targets["10-0-0-1"]
    assert (own["note"], own["degraded_rtt_ms"]) == ('one\ntwo "three"', 1.125)


def test_files_for_people_may_say_their_separator(catalog: Catalog) -> None:
    assert take(catalog, "sep=;\r\naddress;name\r\n10.0.0.1;a,b,c,d\r\n") == Imported(added=1)
    assert catalog.contents().targets["a-b-c-d"]["name"] == "a,b,c,d"


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ("name,address\nKöln,10.0.0.1\n".encode("cp1252"), "no UTF-8 text"),
        (codecs.BOM_UTF16_LE + b"a", "no UTF-16 text"),
        (b"address;critical\n10.0.0.1;WAHR\n", 'critical: "WAHR" is not accepted'),
        (b"address;interval_s\n10.0.0.1;1.000,5\n", 'interval_s: "1.000,5" is not accepted'),
        (b"address;interval_s\n10.0.0.1;1.000\n", 'interval_s: "1.000" is not accepted'),
        (b"address;packets\n10.0.0.1;1,500\n", 'packets: "1,500" is not accepted'),
        (b"PK\x03\x04\x14\x00\x06\x00", "is a workbook"),
        ("address;name\n10.0.0.1;a\n10.0.0.2;K\ufffdln\n".encode(), "line 3 has U+FFFD"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "is a workbook"),
        ("address\tname\n10.0.0.1\ta\n".encode("utf-16-le"), "NUL characters"),
        (b"address;name;;x\n10.0.0.1;a;;\n", "the column ''"),
        (b"address\n10.0.0.1" + b"," * 20_000, "more than 16384 cells"),
        (b"address;name;;\n10.0.0.1;a;;lost\n", "more cells than columns (2) in row 1"),
    ],
)
def test_files_for_people_that_cannot_be_taken_are_refused_by_name(
    catalog: Catalog, data: bytes, sentence: str
) -> None:
    assert sentence in refusal(lambda: take(catalog, data)).detail


# -- sites


@pytest.mark.parametrize("name", ["", "Web", "web", "alerter", "a b", "x" * 64, "../x"])
def test_a_site_needs_a_name_of_its_own_that_fits_into_a_topic(catalog: Catalog, name: str) -> None:
    assert refusal(lambda: catalog.put_site(name, {}, WHO)).status == 422


def test_a_site_is_kept_with_its_anchors_in_one_form(catalog: Catalog) -> None:
    site = catalog.put_site("here", {"label": " Here ", "anchors": ["2001:DB8::1", "Gateway.Example."]}, WHO)
    assert (site.label, site.anchors) == ("Here", ["2001:db8::1", "gateway.example"])
    assert catalog.contents().sites == {"here": site}
    assert refusal(lambda: catalog.put_site("here", {"anchors": ["10.0.0.1"] * 21}, WHO)).errors[0].field == "anchors"
    catalog.delete_site("here", WHO)
    assert refusal(lambda: catalog.delete_site("here", WHO)).status == 404
