import assert from "node:assert/strict";
import test from "node:test";
import { load } from "./static.js";

const { age, rttRange, rttTitle } = await load("rowfigures.js");
const { isBlind, lag, mistakes, presence, whyBlind } = await load("siteproblems.js");
const { fitting } = await load("period.js");

const NOW = Date.parse("2026-01-01T12:00:00.000Z");
const cell = (/** @type {number|null} */ rtt, agoS = 1) => ({ state: "UP", since: null, reason: "", code: null, rtt_ms: rtt, loss_pct: 0, at: new Date(NOW - agoS * 1000).toISOString() });
const row = (/** @type {Record<string, any>} */ sites, /** @type {number|null} */ low, /** @type {number|null} */ high) => ({ sites, rtt_min_ms: low, rtt_max_ms: high });

test("the round-trip times of several sites are a range, no mean that nobody measured", () => {
  const far = row({ paris: cell(2), tokyo: cell(169) }, 2, 169);
  assert.equal(rttRange(far), "2.00–169 ms");
  assert.equal(rttTitle(far, "8 s"), "paris 2.00 ms, tokyo 169 ms, measured 8 s ago");
  assert.equal(rttRange(row({ paris: cell(2) }, 2, 2)), "2.00 ms");
  assert.equal(rttRange(row({ paris: cell(null) }, null, null)), "–");
});

test("a figure older than its interval lets one expect has its age", () => {
  assert.equal(age(cell(2, 30), 10, NOW), null);
  assert.equal(age(cell(2, 90), 10, NOW), "1 min 30 s");
  assert.equal(age({ ...cell(null, 900), loss_pct: null }, 10, NOW), null);
  assert.equal(age(undefined, 10, NOW), null);
});

const SITE = { id: "paris", label: "Paris", online: true, isolated: false, overloaded: false, coverage_pct: 100, hosts: ["a"], clock_wrong: false, clock_ahead_ms: 3, versions_behind: 0 };

test("a site that runs and cannot measure is named with its coverage", () => {
  const site = { ...SITE, overloaded: true, coverage_pct: 31 };
  assert.deepEqual([presence(site)[0], isBlind(site)], ["overloaded", true]);
  assert.match(whyBlind(site), /could measure 31 %/);
  assert.deepEqual([presence(SITE)[0], isBlind(SITE)], ["online", false]);
});

test("two probers of one site are named with their machines, and a wrong clock with how wrong it is", () => {
  assert.deepEqual(mistakes(SITE), []);
  assert.match(mistakes({ ...SITE, hosts: ["a", "b"] })[0], /on a and b/);
  assert.match(mistakes({ ...SITE, clock_wrong: true, clock_ahead_ms: -180_000 })[0], /3 min behind/);
});

test("a prober of another version is named with how far it lags, and is a mistake where it lags more than one", () => {
  const lags = [null, 0, 1, 3, -1, -2].map((versions_behind) => lag({ ...SITE, versions_behind }));
  assert.deepEqual(lags, ["", "", "one version behind", "3 versions behind", "one version ahead", "2 versions ahead"]);
  assert.deepEqual(mistakes({ ...SITE, versions_behind: 1 }), []);
  assert.match(mistakes({ ...SITE, versions_behind: 2 })[0], /2 versions behind.*Update that prober/);
  assert.match(mistakes({ ...SITE, versions_behind: -2 })[0], /2 versions ahead.*Update this server/);
});

test("the default range leaves a new target's chart not empty, and an old one's as it is", () => {
  const hour = 3_600_000;
  const from = NOW - hour;
  const born = NOW - 300_000;
  const shown = fitting({ here: [[born, 1]] }, { overall: [] }, from, NOW);
  assert.ok(shown > NOW - 310_000 && shown <= born);
  assert.equal(fitting({ here: [[from + 1, 1]] }, { overall: [{ start: new Date(from).toISOString(), state: "UP" }] }, from, NOW), from);
  assert.equal(fitting({}, { overall: [] }, from, NOW), from);
  assert.equal(fitting({ here: [[NOW - 1000, 1]] }, null, from, NOW), NOW - 120_000);
});
