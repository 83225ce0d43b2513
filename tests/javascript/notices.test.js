import assert from "node:assert/strict";
import test from "node:test";
import { load } from "./static.js";

const { freeId, matchOf, slug, whenOf } = await load("notices.js");

const NOTHING = { severities: [], kinds: [], groups: [], tags: [], hours: "", zone: "UTC", after_min: 0, remind_min: 0 };

test("a route that narrows nothing is for every incident", () => assert.equal(whenOf(NOTHING), "every incident"));

test("what a route is for reads as a part of a sentence", () => {
  const route = { severities: ["critical", "major"], kinds: ["site-blind"], groups: ["core", ""], tags: ["a", "b", "c"], hours: "Mon-Fri 08:00-18:00", zone: "Europe/Paris", after_min: 0, remind_min: 0 };
  assert.equal(whenOf(route), "critical or major, site blind, in core or all targets, with the tag a, b or c, Mon-Fri 08:00-18:00 (Europe/Paris)");
});

test("a step of escalation says when it comes, and what it repeats", () => {
  assert.equal(whenOf({ ...NOTHING, after_min: 30, remind_min: 60 }), "every incident; after 30 min unacknowledged; again every 60 min");
});

test("a reason that this page does not know is shown as it is", () => {
  assert.equal(matchOf("other-hours"), "no: at other hours");
  assert.equal(matchOf("new-moon"), "new moon");
});

test("an id is made of a name as the server makes them", () => {
  assert.equal(slug("Núit  Shift (2)"), "nuit-shift-2");
  assert.equal(slug("夜"), "");
  assert.equal(slug(`${"a".repeat(62)} b`), "a".repeat(62));
});

test("an id that is taken gets a number, so that nothing is replaced", () => {
  assert.equal(freeId("Ops", "contact", []), "ops");
  assert.equal(freeId("Ops", "contact", ["ops"]), "ops-2");
  assert.equal(freeId("OPS!", "contact", ["ops-2", "ops", "ops-4"]), "ops-3");
  assert.equal(freeId("夜", "contact", ["contact"]), "contact-2");
});

test("a long id makes room for its number", () => {
  const long = "a".repeat(63);
  assert.equal(freeId(long, "route", [long]), `${"a".repeat(61)}-2`);
  const hyphen = `${"a".repeat(60)}-bc`;
  assert.equal(freeId(hyphen, "route", [hyphen]), `${"a".repeat(60)}-2`);
});
