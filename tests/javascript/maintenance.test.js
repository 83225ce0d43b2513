// Maintenance windows in words, in the form, and on the days of a month.

import assert from "node:assert/strict";
import test from "node:test";
import { load } from "./static.js";

const { blank, body, onDay, rule, things, typedOf, weeksOf } = await load("maintenance.js");

const NOW = Date.UTC(2026, 10, 24, 12);
const SUNDAYS = {
  id: "one", title: "Backup", covers: [{ kind: "group", name: "core" }, { kind: "everything", name: "" }], repeats: "weekly", starts_at: "2026-11-24T12:00:00.000Z",
  ends_at: null, zone: "Europe/Berlin", from_time: "02:00", to_time: "04:00", weekdays: ["sun"], days: [], weeks: [], by: "ana", at: "2026-11-24T12:00:00.000Z",
};

test("what repeats is said in words", () => {
  assert.equal(rule(SUNDAYS), "every Sunday 02:00–04:00 (Europe/Berlin)");
  assert.equal(rule({ ...SUNDAYS, repeats: "monthly", weeks: [2, -1] }), "every month on the second and last Sunday 02:00–04:00 (Europe/Berlin)");
  assert.equal(rule({ ...SUNDAYS, repeats: "monthly", weekdays: [], days: [1, -1] }), "every month on the 1., last day 02:00–04:00 (Europe/Berlin)");
  assert.equal(rule({ ...SUNDAYS, repeats: "once" }), "");
  assert.equal(things(SUNDAYS.covers), "group core, everything");
});

test("a form that is opened and saved says the same again", () => {
  const { id, by, at, starts_at, ends_at, days, weeks, ...same } = SUNDAYS;
  assert.deepEqual(body(typedOf(SUNDAYS, NOW, "UTC")), { ...same, covers: [{ kind: "group", name: "core" }, { kind: "everything" }] });
});

test("silence for an hour from now needs nothing typed", () => {
  const covers = [{ kind: "target", name: "a" }];
  assert.deepEqual(body(blank(covers, NOW, "UTC")), { title: "Maintenance", covers, minutes: 60 });
});

test("days of the month are numbers, and what is not goes to the server as it is", () => {
  const typed = { ...blank([], NOW, "UTC"), how: "monthly", days: "1, 15 last x" };
  assert.deepEqual(body(typed).days, [1, 15, -1, "x"]);
});

test("a time that is none goes to the server as it is", () => {
  assert.equal(body({ ...blank([], NOW, "UTC"), how: "until", ends: "" }).ends_at, "");
});

test("a month begins with its week's Monday and ends with a whole week", () => {
  const weeks = weeksOf(2026, 10);
  assert.deepEqual([weeks[0][0].getDate(), weeks.length, weeks.at(-1)[6].getDate()], [26, 6, 6]);
  assert.equal(weeksOf(2027, 1).length, 4);
});

test("a window is on every day that it touches, and not on one at whose midnight it ends", () => {
  const day = (date) => new Date(2026, 10, date);
  const one = { maintenance: "one", start: day(24).toISOString(), end: day(26).toISOString() };
  assert.deepEqual([23, 24, 25, 26].map((date) => onDay([one], day(date)).length), [0, 1, 1, 0]);
});
