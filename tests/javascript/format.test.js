import assert from "node:assert/strict";
import test from "node:test";
import { load } from "./static.js";

const { brief, bytes, counted, duration, local, ms, percent, points, share, uptime, worded } = await load("format.js");
const { between, named, PRESETS } = await load("period.js");
const { runs } = await load("strip.js");

test("a duration has its two largest units", () => {
  assert.equal(duration(0), "0 s");
  assert.equal(duration(59.6), "1 min");
  assert.equal(duration(3 * 86_400 + 4 * 3600 + 59), "3 d 4 h");
  assert.equal(duration(86_400 + 59), "1 d");
  assert.equal(duration(null), "–");
});

test("a size is in the unit that leaves few digits", () => {
  assert.deepEqual([0, 999, 1000, 12_345, 99_940, 99_960, 999_400, 999_600, 5e9, 3e15, 9e18].map(bytes), [
    "0 B", "999 B", "1.0 kB", "12.3 kB", "99.9 kB", "100 kB", "999 kB", "1.0 MB", "5.0 GB", "3.0 PB", "9000 PB",
  ]);
});

test("a round-trip time has three digits, also where it is rounded up to one more", () => {
  assert.deepEqual([0.456, 9.99, 9.996, 10.04, 99.94, 99.96, 250.5].map(ms), ["0.46 ms", "9.99 ms", "10.0 ms", "10.0 ms", "99.9 ms", "100 ms", "251 ms"]);
});

test("uptime is never rounded up to a hundred that was not reached", () => {
  assert.equal(uptime(99.99999), "99.999 %");
  assert.equal(uptime(100), "100 %");
  assert.equal(uptime(null), "–");
  assert.equal(uptime(33.3), "33.300 %");
  assert.deepEqual([uptime(0), uptime(1e-7), uptime(0.001), share(1, 100_000)], ["0.000 %", "< 0.001 %", "0.001 %", "< 0.1 %"]);
  assert.deepEqual([99.6, 99.95, 99.9999, 0.004, 98.7].map(percent), ["99.6 %", "> 99.9 %", "> 99.9 %", "< 0.1 %", "99 %"]);
  assert.deepEqual([share(99_999, 100_000), share(99_999, 100_000, 2), share(0, 5)], ["99.9 %", "99.99 %", "0 %"]);
});

test("figures show the digits that matter", () => {
  assert.deepEqual([0.123, 12.34, 123.4, null].map(ms), ["0.12 ms", "12.3 ms", "123 ms", "–"]);
  assert.deepEqual([0, 0.5, 33.3, 100].map(percent), ["0 %", "0.5 %", "33 %", "100 %"]);
  assert.deepEqual([share(1, 3), share(3, 3), share(0, 0)], ["33.3 %", "100 %", "–"]);
});

test("one is one, others are many", () => {
  assert.deepEqual([counted(1, "target"), counted(0, "target"), counted(2, "echo", "echoes")], ["1 target", "0 targets", "2 echoes"]);
});

test("a period that an address names is one, or none at all", () => {
  assert.deepEqual(named(new URLSearchParams("from=1&to=2")), { from: 1, to: 2 });
  for (const bad of ["from=2&to=1", "from=x&to=2", "from=1e300&to=2e300", "", "to=5"]) assert.equal(named(new URLSearchParams(bad)), null, bad);
});

test("a typed period comes back as it was typed", () => {
  const at = new Date(2026, 6, 1, 12, 30, 15).getTime();
  assert.deepEqual(between(local(at), local(at + 1000)), { from: at, to: at + 1000 });
  assert.equal(between("", local(at)), null);
});

test("a preset of a day begins at the viewer's own midnight", () => {
  const now = new Date(2026, 2, 30, 9, 0, 0);
  const yesterday = PRESETS.find((/** @type {any} */ one) => one.name === "yesterday").of(now);
  assert.deepEqual([new Date(yesterday.from).getHours(), new Date(yesterday.to).getHours()], [0, 0]);
  assert.equal(new Date(yesterday.to).getDate(), 30);
});

test("no outage is too short for the strip, and the worst state of a column wins", () => {
  const start = Date.parse("2026-01-01T00:00:00.000Z");
  const at = (/** @type {number} */ s) => new Date(start + s * 1000).toISOString();
  const interval = (/** @type {number} */ from, /** @type {number} */ to, /** @type {string} */ state) => ({ start: at(from), end: at(to), seconds: to - from, state, reason: "" });
  const found = runs([interval(0, 5000, "UP"), interval(5000, 5001, "DOWN"), interval(5001, 10_000, "UP")], start, start + 10_000_000, 100);
  assert.deepEqual(found.map((/** @type {any} */ one) => [one.first, one.last, one.state]), [[0, 49, "UP"], [50, 50, "DOWN"], [51, 99, "UP"]]);
});

test("a change is never a signed nothing", () => {
  const shown = [0, 1e-14, 3e-6, -3e-6, 0.001, -12.34567, null].map((value) => points(value));
  assert.deepEqual(shown, ["±0.000", "±0.000", "< +0.001", "> −0.001", "+0.001", "−12.346", ""]);
});

test("a refusal begins with the label that people read", () => {
  assert.equal(worded("zone", "Time zone", "zone: 'x' is not accepted."), "Time zone: 'x' is not accepted.");
  assert.equal(worded("contacts", "Tells", "contacts[2]: 'x' is no contact."), "Tells[2]: 'x' is no contact.");
  assert.equal(worded("name", "Name", "names are short."), "names are short.");
});

for (const [why, names, shown] of /** @type {[string, string[], string[]][]} */ ([
  ["what has room is as it is", ["paris", "ten-letter"], ["paris", "ten-letter"]],
  ["in the middle, where that will do", ["core-switch-paris-1", "core-switch-paris-2"], ["core-…is-1", "core-…is-2"]],
  ["names that end alike keep more of their beginning", ["access-paris-switch", "access-lyon-switch"], ["access-p…h", "access-l…h"]],
  ["those that differ in the middle alone, there", ["frankfurt-paris-core-switch", "frankfurt-lyon-core-switch"], ["…paris-co…", "…lyon-cor…"]],
  ["one that has room does not move the others' cut", ["core-switch-1", "core", "core-switch-2"], ["core-…ch-1", "core", "core-…ch-2"]],
  ["one alone", ["frankfurt-main"], ["frank…main"]],
])) {
  test(`names are cut where they stay different: ${why}`, () => {
    const found = brief(names, 10);
    assert.deepEqual(names.map((name) => found[name]), shown);
    assert.ok(shown.every((one) => one.length <= 10));
  });
}
