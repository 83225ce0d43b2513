"""What InfluxDB alone can do to a store: refuse it, refuse some lines, or not be there at all."""

from __future__ import annotations

import json
import random
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from noc_bus.codec import encode
from noc_bus.messages import Mark, State, Target
from noc_bus.time import DAY_MS, HOUR_MS, Time
from noc_history.sqlite import SqliteStore
from noc_history.store import Batch, Definition, Point, Silence, Store, StoreError, Written
from tests.history.conftest import open_store
from tests.history.files import charts, days_ago, pack, some_cycles, write
from tests.history.influx_engine import EVERYTHING, InfluxEngine
from tests.history.records import at, cycle, incident, state

_numbers = count()


@pytest.fixture
def bucket() -> str:
    return f"refusing{next(_numbers)}"


@pytest.fixture
def store(engine: InfluxEngine, bucket: str) -> Iterator[Store]:
    store = open_store(engine.make_bucket(bucket))
    yield store
    engine.refuse_with = None
    store.close()


@pytest.mark.parametrize(
    ("status", "cure"),
    [
        (401, "check the token in NOC_HISTORY_URL"),
        (403, "give the token the right to read and write the bucket"),
        (404, "check address, organisation and bucket in NOC_HISTORY_URL"),
        (429, "check that the server runs and can be reached"),
        (500, "check that the server runs and can be reached"),
        (503, "check that the server runs and can be reached"),
    ],
)
def test_a_server_that_refuses_everything_is_told_with_the_cure_and_asked_again(
    engine: InfluxEngine, store: Store, status: int, cure: str
) -> None:
    engine.refuse_with = status
    for act in (
        lambda: store.write(Batch(results=[cycle(0)])),
        store.marks,
        lambda: store.states(None, at(0), at(9)),
        lambda: store.maintain(at(0), 1),
    ):
        with pytest.raises(StoreError, match=f"{status} .*refused by the test.*; {cure}$") as caught:
            act()
        assert caught.value.can_retry
    engine.refuse_with = None
    assert store.write(Batch(results=[cycle(0)])) == Written(1)
    assert len(store.series("router", at(0), at(9), 9)["here"]) == 1


def test_a_wrong_token_and_a_missing_bucket_are_told_apart(engine: InfluxEngine, store: Store, bucket: str) -> None:
    stranger, lost = open_store(engine.url(bucket, token="wrong")), open_store(engine.url("missing"))
    for act in (stranger.marks, lambda: stranger.write(Batch(results=[cycle(0)]))):
        with pytest.raises(StoreError, match=r"check the token in NOC_HISTORY_URL$"):
            act()
    for act in (lost.marks, lambda: lost.write(Batch(results=[cycle(0)]))):
        with pytest.raises(StoreError, match=r"database not found.*; check address, organisation and bucket"):
            act()
    stranger.close()
    lost.close()


def test_what_a_store_refuses_does_not_count_as_stored(engine: InfluxEngine, store: Store, bucket: str) -> None:
    """Somebody made `received` a float: the server refuses every cycle, and would take them were that mended."""
    status, answer = engine.put(bucket, f"cycle,site=x,target=x received=0.5 {at(0) * 1_000_000}")
    assert status == 204, answer
    cycles = [cycle(n, seq=n) for n in range(300)]
    written = store.write(Batch(results=cycles, states=[state(0, State.UP, seq=999)]))
    assert (written.stored, len(written.rejected)) == (1, 300)
    assert [one.record for one in written.rejected] == cycles
    assert all(one.can_mend for one in written.rejected)
    trouble = store.trouble()
    assert trouble is not None
    assert f"in bucket {bucket} at http://127.0.0.1" in trouble
    assert "the field received of cycle has the type float, and NOC writes integer" in trouble
    assert trouble in written.rejected[0].reason
    engine.run("DROP MEASUREMENT cycle", bucket)
    assert store.trouble() is None
    assert store.write(Batch(results=cycles)) == Written(300)


def test_one_line_the_server_refuses_is_named_and_the_others_are_stored(
    engine: InfluxEngine, store: Store, bucket: str
) -> None:
    """Somebody made `reason` a number in the shard of a month ago: the server refuses what we have for it."""
    month_s = -30 * 86_400
    status, answer = engine.put(bucket, f"state,site=x,target=x reason=7i {at(month_s) * 1_000_000}")
    assert status == 204, answer
    states = [state(month_s if n == 31 else n, State.UP, seq=n) for n in range(100)]
    written = store.write(Batch(results=[cycle(0)], states=states))
    assert written.stored == 100
    (rejected,) = written.rejected
    assert rejected.record == states[31]
    assert rejected.can_mend
    assert "type conflict" in rejected.reason
    assert len(store.series("router", at(0), at(9), 9)["here"]) == 1
    assert len(store.states(["router"], at(0), at(200))["router"]["here"].states) == 99


def test_a_record_that_no_store_would_take_is_named_for_good(store: Store) -> None:
    """Longer than the server takes a tag to be: nothing that could be mended."""
    odd = cycle(1, target="x" * 70_000, seq=1)
    written = store.write(Batch(results=[cycle(0), odd, cycle(2)]))
    assert written.stored == 2
    (rejected,) = written.rejected
    assert (rejected.record, rejected.can_mend) == (odd, False)


def test_exactly_the_bad_ones_of_a_thousand_are_set_aside(store: Store) -> None:
    bad = [13, 512, 513, 999]
    cycles = [cycle(n, target="x" * 70_000 if n in bad else "router", seq=n) for n in range(1000)]
    for _ in range(2):
        written = store.write(Batch(results=cycles))
        assert [one.record for one in written.rejected] == [cycles[n] for n in bad]
        assert not any(one.can_mend for one in written.rejected)
        assert written.stored == 996
    (point,) = store.series("router", at(0), at(1000), 1)["here"]
    assert point.cycles == 996


def test_a_bucket_that_keeps_less_than_is_promised_is_refused_with_the_cure(engine: InfluxEngine, bucket: str) -> None:
    store = open_store(engine.make_bucket(bucket, keep="24h"))
    cure = "keeps data for 24 hours only, .* set its retention to forever"
    with pytest.raises(StoreError, match=cure) as caught:
        store.prepare()
    assert caught.value.can_retry
    assert re.search(cure, store.trouble() or "")
    now = Time.now()
    old, new = (cycle(seconds) for seconds in ((now - at(0)) / 1000 - 7 * 86_400, (now - at(0)) / 1000))
    written = store.write(Batch(results=[old, new]))
    (rejected,) = written.rejected
    assert (written.stored, rejected.record, rejected.can_mend) == (1, old, True)
    assert re.search(cure, rejected.reason)
    assert [point.at for point in store.series("router", Time(0), Time(now + 1), 9)["here"]] == [new.at]
    engine.run(f'ALTER RETENTION POLICY autogen ON "{bucket}" DURATION INF')
    store.prepare()
    assert store.trouble() is None
    assert store.write(Batch(results=[old])) == Written(1)
    store.close()


def test_a_bucket_that_is_not_there_is_made_and_keeps_for_good(engine: InfluxEngine, bucket: str) -> None:
    store = open_store(engine.url(bucket))
    with pytest.raises(StoreError, match="database not found"):
        store.marks()
    for _ in range(2):
        store.prepare()
    assert store.marks() == {}
    assert store.trouble() is None
    store.close()


def test_a_token_that_may_only_write_and_a_bucket_that_is_gone_are_told_with_the_cure(
    engine: InfluxEngine, store: Store
) -> None:
    engine.may = frozenset({"write"})
    try:
        with pytest.raises(StoreError, match="give the token the right to read and write the bucket") as caught:
            store.prepare()
    finally:
        engine.may = EVERYTHING
    assert caught.value.can_retry
    gone = open_store(engine.url("gone"))
    assert gone.trouble() is None
    with pytest.raises(StoreError, match="database not found"):
        gone.maintain(Time(0), 1.0)
    gone.close()


READER = "noc-reader:a password"


@pytest.mark.parametrize("by", ["token", "user"])
def test_who_may_only_read_sees_all_of_it_and_changes_nothing(
    engine: InfluxEngine, store: Store, bucket: str, by: str
) -> None:
    store.write(
        Batch(results=[cycle(0, [1.0, 2.0]), cycle(60, [9.0])], marks=[Mark(site="here", epoch=1, seq=7, at=at(60))])
    )
    store.maintain(Time(0), 5.0)
    whole = everything(store)
    url = engine.url(bucket)
    if by == "user":
        engine.reader = READER
        url = url.replace(f"{quote(engine.token, safe='')}@", f"{quote(READER, safe=':')}@")
    else:
        engine.may = frozenset({"read"})
    reader = open_store(url)
    try:
        assert everything(reader) == whole
        assert whole[1]["here"]
        assert reader.trouble() is None
        for change in (
            lambda: reader.write(Batch(results=[cycle(120, [1.0])])),
            lambda: reader.forget("router", None),
        ):
            with pytest.raises(StoreError, match=r"give the token the right|check the token"):
                change()
    finally:
        engine.may, engine.reader = EVERYTHING, ""
        reader.close()
    assert everything(store) == whole


def everything(store: Store) -> tuple[object, Mapping[str, Sequence[Point]], object, object]:
    """What the web service asks for."""
    start, end = at(-60), at(3600)
    charts = store.chart(["router"], None, start, end, 50)
    return store.marks(), store.series("router", start, end, 50), charts, list(store.raw_cycles("router", start, end))


def test_the_right_to_read_and_write_one_bucket_is_all_that_the_recorder_needs(
    engine: InfluxEngine, store: Store
) -> None:
    engine.may = frozenset({"read", "write"})
    try:
        store.prepare()
        store.write(Batch(results=[cycle(0, [1.0, 2.0])], marks=[Mark(site="here", epoch=1, seq=7, at=at(60))]))
        store.maintain(Time.now(), 5.0)
        store.forget("router", None)
        assert store.trouble() is None
    finally:
        engine.may = EVERYTHING
    assert not store.targets()


def rows(engine: InfluxEngine, bucket: str, query: str) -> list[dict[str, Any]]:
    found = asked(engine, bucket, query)
    return [dict(zip(one["columns"], values, strict=True)) for one in found for values in one["values"]]


def test_people_query_percentiles_as_numbers(engine: InfluxEngine, store: Store, bucket: str) -> None:
    store.write(Batch(results=[cycle(0, [1.0, 2.0, 3.0, 4.0]), cycle(3599, []), cycle(60, [9.0], invalid="late")]))
    store.maintain(Time(0), 5.0)
    (fine, later) = rows(engine, bucket, "SELECT * FROM rollup_5m")
    assert (fine["cycles"], fine["invalid"], fine["sent"], fine["received"]) == (2, 1, 5, 4)
    assert fine["p50_ms"] == pytest.approx(2.0, rel=0.01)
    assert (fine["min_ms"], fine["mean_ms"], fine["max_ms"], fine["loss_pct"]) == (1.0, 2.5, 4.0, pytest.approx(20))
    assert (later["loss_pct"], later["p50_ms"]) == (100.0, None)
    for table, sent in (("rollup_1h", 10), ("rollup_1d", 10)):
        (whole,) = rows(engine, bucket, f"SELECT sent, p5_ms, p95_ms, target, site FROM {table}")
        assert (whole["sent"], whole["target"], whole["site"]) == (sent, "router", "here")
        assert 1.0 <= whole["p5_ms"] < whole["p95_ms"] <= 4.0


def test_no_tag_has_values_without_end(engine: InfluxEngine, store: Store, bucket: str) -> None:
    some = [incident(f"incident-{n}", 10, 20) for n in range(300)]
    definition = Definition("router", at(0), Target(id="router", name="Router", address="192.0.2.1"))
    batch = Batch([cycle(0)], [state(0, State.UP)], some, [definition], [Silence("router", "here", at(1), at(2))])
    store.write(batch)
    store.maintain(Time(0), 5.0)
    assert sorted(one.id for one in store.incidents(at(0), at(99))) == sorted(one.id for one in some)
    tags = {(one["name"], row[0]) for one in asked(engine, bucket, "SHOW TAG KEYS") for row in one["values"]}
    assert {tag for _, tag in tags} == {"site", "target", "id", "tier", "part"}
    assert [name for name, tag in tags if tag == "id"] == ["definition"]
    parts = asked(engine, bucket, 'SHOW TAG VALUES FROM incident WITH KEY = "part"')[0]["values"]
    assert len(parts) <= 256


def asked(engine: InfluxEngine, bucket: str, query: str) -> list[dict[str, Any]]:
    """As another program asks: series of the answer."""
    found: list[dict[str, Any]] = json.loads(engine.run(query, bucket)[1])["results"][0]["series"]
    return found


def test_what_version_0_1_stored_is_summed_up_and_its_incidents_are_there_once(
    engine: InfluxEngine, store: Store, bucket: str
) -> None:
    opened, resolved = incident("one", 10), incident("one", 10, 60)
    message = encode(opened).decode().replace('"', '\\"')
    lines = [
        f"cycle,site=here,target=router cycles=1i,sent=5i,received=1i,invalid=0i,valid_sent=5i,valid_received=1i,"
        f'rtts_us="{n + 1}000",min_us={n + 1}000i,sum_us={n + 1}000i,max_us={n + 1}000i {at(n * 600) * 1_000_000}'
        for n in range(9)
    ]
    engine.put(bucket, "\n".join([*lines, f'incident,id=one opened="{message}" {at(10) * 1_000_000}']))
    assert list(store.incidents(at(0), at(100))) == [opened]
    store.write(Batch(incidents=[resolved]))
    assert list(store.incidents(at(0), at(100))) == [resolved]
    before = store.chart(["router"], None, at(0), at(7200), 2)
    while store.maintain(Time(0), 5.0).backlog_rows:
        pass
    assert [one["cycles"] for one in rows(engine, bucket, "SELECT cycles FROM rollup_1h")] == [6, 3]
    assert store.chart(["router"], None, at(0), at(7200), 2) == before
    # They were to be kept for 30 days.
    assert [one["keep_days"] for one in rows(engine, bucket, "SELECT keep_days FROM layout")] == [30]


def test_a_server_that_goes_away_at_any_moment_loses_and_doubles_nothing(
    engine: InfluxEngine, bucket: str, tmp_path: Path
) -> None:
    """While it is written to, summed up and deleted from: each time a new recorder goes on, as after a crash."""
    rng = random.Random(51)
    cycles, start = days_ago(some_cycles(rng, 5, every_s=600), 3)
    end, widths, url = Time(start + DAY_MS), (300_000, HOUR_MS, 6 * HOUR_MS, DAY_MS), engine.make_bucket(bucket)
    expected = SqliteStore(tmp_path / "history.sqlite")
    write(expected, cycles)
    pack(expected.path)
    batches = [cycles[first : first + 40] for first in range(0, len(cycles), 40)]
    crashes, is_done = 0, False
    while not is_done:
        store = open_store(url)
        engine.refuse_after = rng.randrange(2, 20)
        try:
            while batches:
                # What no mark has passed is sent again, and now and then what one has.
                store.write(Batch(results=[*batches[0], *rng.sample(cycles[: cycles.index(batches[0][0]) + 1], 1)]))
                del batches[0]
            is_done = not store.maintain(Time(0), 60.0).backlog_rows
        except StoreError:
            crashes += 1
        finally:
            engine.refuse_after = None
            store.close()
    assert crashes > 5
    store = open_store(url)
    for gone in (Time(0), end):
        store.maintain(gone, 5.0)
        assert charts(store, start, end, *widths) == charts(expected, start, end, *widths)
        assert store.totals(None, start, end) == expected.totals(None, start, end)
    store.close()
    expected.close()


def test_version_1_8_is_written_read_and_deleted_from(engine: InfluxEngine, store: Store) -> None:
    """It takes version 2's way of writing only, and says in InfluxQL how long it keeps what it is given."""
    short = open_store(engine.make_bucket("short", keep="24h"))
    engine.is_version_1 = True
    try:
        assert "keeps data for 24 hours only" in (short.trouble() or "")
        store.prepare()
        store.write(Batch(results=[cycle(0), cycle(7200)]))
        store.maintain(at(3700), 5.0)
        assert [point.at for point in store.series("router", at(0), at(9999), 9)["here"]] == [at(7200)]
        (chart,) = store.chart(["router"], None, at(0), at(9999), 9).values()
        assert sum(one.cycles for one in chart.merged) == 2
    finally:
        engine.is_version_1 = False
        short.close()


class _Stranger(BaseHTTPRequestHandler):
    """A web server that has a page for everybody, whatever is asked for."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>Welcome</title>")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name is the base class's
        return


def test_another_web_server_at_its_address_is_told() -> None:
    with HTTPServer(("127.0.0.1", 0), _Stranger) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        store = open_store(f"influxdb://token@127.0.0.1:{server.server_port}/noc/history")
        for act in (store.marks, lambda: list(store.raw_cycles("router", at(0), at(60)))):
            with pytest.raises(StoreError, match="what answers there is no InfluxDB; check address") as caught:
                act()
            assert caught.value.can_retry
        store.close()
        server.shutdown()


def test_a_server_that_is_not_there_is_told() -> None:
    store = open_store("influxdb://token@127.0.0.1:1/noc/history")
    for act in (store.marks, lambda: store.write(Batch(results=[cycle(0)])), lambda: store.maintain(at(0), 1)):
        with pytest.raises(StoreError, match=r"127.0.0.1:1: .*; check that the server runs") as caught:
            act()
        assert caught.value.can_retry
    store.close()


def test_a_cycle_that_is_just_being_written_is_not_there_yet(engine: InfluxEngine, store: Store, bucket: str) -> None:
    """Of a point the server shows one field after the other."""
    cycles, start = days_ago(some_cycles(random.Random(3), 1, every_s=600), 2)
    write(store, cycles)
    for field in ("sent=5i", "received=5i", "invalid=0i"):
        status, answer = engine.put(bucket, f"cycle,site=here,target=router {field} {(start + 1000) * 1_000_000}")
        assert status == 204, answer
        end = Time(start + DAY_MS)
        found = list(store.raw_cycles("router", start, end))
        while store.maintain(Time(0), 5.0).backlog_rows:
            pass
        assert store.chart(["router"], None, start, end, 24)["router"].merged
        whole = len([one for one in cycles if one.target == "router"]) + (field == "invalid=0i")
        assert len(found) == whole
