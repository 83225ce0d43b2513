import assert from "node:assert/strict";
import test from "node:test";
import { load } from "./static.js";

const { appended, asCsv, columns, jitter, jitterTop, lossClass, nearest, point, spans, totals } = await load("chartseries.js");

/** @param {number} at seconds @param {number|null} [rtt] */
const row = (at, rtt = 10) => [at * 1000, rtt, rtt, rtt, rtt === null ? 100 : 0, 1, 0, rtt, rtt, rtt, rtt, rtt, 0];
const RESULT = { site: "here", target: "router", at: "2026-01-01T00:00:10.000Z", sent: 4, received: 3, rtts_ms: [1, 2, 6], invalid: null };

test("a silence between two cycles is drawn as a gap, an interval that was changed is not", () => {
  const silent = columns([row(0), row(10), row(20), row(300), row(310), row(320)]);
  assert.deepEqual(silent[0], [0, 10, 20, 30, 300, 310, 320]);
  assert.equal(silent[2][3], null);
  const slower = columns([row(0), row(10), row(20), row(60), row(100), row(140)]);
  assert.deepEqual(slower[0], [0, 10, 20, 60, 100, 140]);
});

test("an unanswered cycle has no round-trip time and lasts as long as the others", () => {
  assert.deepEqual(columns([row(0), row(10, null), row(20)])[2], [10, null, 10]);
  assert.deepEqual(spans([row(0), row(10, null), row(20)]).map((one) => one.ms), [10_000, 10_000, 10_000]);
});

test("a single cycle is a point, nothing at all is nothing", () => {
  assert.deepEqual(columns([row(5)]), [[5], [10], [10], [10], [10], [10]]);
  assert.deepEqual(columns([]), [[], [], [], [], [], []]);
});

test("a cycle that was just received becomes a row: its loss, its fastest and slowest echo, its percentiles", () => {
  const nothing = [null, null, null, null, null, 0];
  assert.deepEqual(point(RESULT), [Date.parse(RESULT.at), 1, 3, 6, 25, 1, 0, 1, 1, 2, 2, 2, 0]);
  assert.deepEqual(point({ ...RESULT, received: 0, rtts_ms: [] }).slice(1), [null, null, null, 100, 1, 0, ...nothing]);
  assert.deepEqual(point({ ...RESULT, invalid: "late" }).slice(1), [null, null, null, null, 0, 1, ...nothing]);
});

test("only cycles newer than the last are appended, and nothing given is changed", () => {
  const sites = { here: [row(0), row(10)] };
  const found = appended(sites, [["here", row(10)], ["here", row(20)], ["there", row(20)]]);
  assert.deepEqual(found.here.map((/** @type {any} */ one) => one[0]), [0, 10_000, 20_000]);
  assert.equal(found.there.length, 1);
  assert.equal(sites.here.length, 2);
  const wide = appended(sites, [["here", row(19)], ["here", row(20)], ["here", row(21)]], 10_000);
  assert.deepEqual(wide.here.map((/** @type {any} */ one) => one[0]), [0, 10_000, 20_000, 21_000]);
});

test("loss has classes, and none where nothing was lost", () => {
  assert.equal(lossClass(0), undefined);
  assert.equal(lossClass(0.5).label, "below 5 %");
  assert.equal(lossClass(20).label, "from 20 %");
  assert.equal(lossClass(100).label, "all lost");
});

test("the readout takes the nearest cycle, and none where the chart has a gap", () => {
  const points = [row(0), row(10), row(20), row(300), row(310)];
  assert.equal(nearest(points, 13_000), points[1]);
  assert.equal(nearest(points, 16_000), points[2]);
  assert.equal(nearest(points, 150_000), null);
  assert.equal(nearest([], 0), null);
});

test("the figures of a period are those of all its echoes, however long the rows are", () => {
  const long = [0, 1, 2, 9, 50, 10, 0, 1, 1, 2, 3, 9, 0];
  const short = [60_000, 4, 5, 6, 0, 5, 0, 4, 4, 5, 6, 6, 0];
  const invalid = [120_000, null, null, null, null, 3, 3, null, null, null, null, null, 0];
  assert.deepEqual(totals([long, short, invalid]), { min: 1, mean: 3.5, max: 9, loss: 500 / 15, cycles: 18 });
  assert.deepEqual(totals([row(0, null)]), { min: null, mean: null, max: null, loss: 100, cycles: 1 });
  assert.deepEqual(totals([]), { min: null, mean: null, max: null, loss: null, cycles: 0 });
});

test("the chart as CSV has a line for each row of each site, and nothing where nothing is known", () => {
  assert.deepEqual(asCsv({ here: [row(0), row(10, null)] }).split("\n"), [
    "site,at,min_ms,mean_ms,max_ms,loss_pct,cycles,invalid,p5_ms,p25_ms,p50_ms,p75_ms,p95_ms,blind_pct",
    "here,1970-01-01T00:00:00.000Z,10,10,10,0,1,0,10,10,10,10,10,0",
    "here,1970-01-01T00:00:10.000Z,,,,100,1,0,,,,,,0",
    "",
  ]);
});

test("whatever a line is called, it is one cell of the CSV, and no formula", () => {
  const named = (/** @type {string} */ name) => asCsv({ [name]: [row(0)] }).split("\n1970")[0].split("at,min_ms")[1].split("blind_pct\n")[1].split(",1970")[0];
  assert.equal(named("Berlin, hall 2 (db-1)"), '"Berlin, hall 2 (db-1)"');
  assert.equal(named('the "old" one'), '"the ""old"" one"');
  assert.equal(named("=1+1"), "'=1+1");
  assert.equal(named("-a, b"), "\"'-a, b\"");
  assert.equal(named("two\nlines"), '"two\nlines"');
});

test("jitter is the 95th percentile above the median, and a few that stand out do not flatten its lane", () => {
  const of = (/** @type {number} */ at, /** @type {number} */ value) => [at * 1000, 1, 1, 9, 0, 1, 0, 1, 1, 5, 6, 5 + value, 0];
  assert.equal(jitter(of(0, 3)), 3);
  assert.equal(jitter(row(0, null)), null);
  assert.equal(jitterTop([[of(0, 1), of(1, 2)], [of(0, 4)]]), 4);
  assert.equal(jitterTop([[...Array(99).keys()].map((at) => of(at, 2)).concat([of(99, 500)])]), 3);
  assert.equal(jitterTop([[], [row(0, null)]]), 0);
});
