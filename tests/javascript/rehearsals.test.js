// @ts-check

import assert from "node:assert/strict";
import test from "node:test";
import { load } from "./static.js";

const { lines, limits } = await load("rehearsals.js");

const side = (/** @type {any} */ more) => ({ incidents: 0, untold: 0, notices: 0, recipients: [], seconds: {}, ...more });

test("today stands beside what would have been, with the change", () => {
  const before = side({ incidents: 3, notices: 6, seconds: { DOWN: 120, UNREACHABLE: 0, UP: 9000 }, recipients: [{ to: "a@x", name: "", notices: 6 }] });
  const after = side({ incidents: 1, notices: 2, untold: 1, seconds: { DOWN: 60, UNREACHABLE: 60 }, recipients: [{ to: "b@x", name: "Bea", notices: 2 }] });
  assert.deepEqual(
    lines({ before, after }).map((/** @type {any} */ one) => Object.values(one)),
    [
      ["Incidents", "3", "1", "−2"],
      ["of which nobody is told", "0", "1", "+1"],
      ["Notices in all", "6", "2", "−4"],
      ["to Bea (b@x)", "0", "2", "+2"],
      ["to a@x", "6", "0", "−6"],
      ["Time DOWN", "2 min", "1 min", "−1 min"],
      ["Time UNREACHABLE", "0 s", "1 min", "+1 min"],
    ],
  );
});

test("what changes nothing is the same, and states that never were are left out", () => {
  const same = side({ incidents: 2, notices: 2, seconds: { DOWN: 5, PARTIAL: 0 } });
  const found = lines({ before: same, after: same });
  assert.deepEqual(new Set(found.map((/** @type {any} */ one) => one.change)), new Set(["same"]));
  assert.deepEqual(found.map((/** @type {any} */ one) => one.label).slice(-1), ["Time DOWN"]);
});

test("what the figures cannot say is said", () => {
  const from = "2026-11-01T00:00:00.000Z";
  const whole = { not_played: [], unasked: [], recorded_from: from, is_of_all: true, is_mail_set_up: true, targets: 5 };
  const told = (/** @type {string} */ at) => at.slice(0, 10);
  assert.deepEqual(limits(whole, from, told), []);
  const poor = { not_played: ["down_after"], unasked: ["mars"], recorded_from: "2026-11-20T00:00:00.000Z", is_of_all: false, is_mail_set_up: false, targets: 5 };
  const found = limits(poor, from, told);
  assert.equal(found.length, 5);
  assert.match(found[0], /down_after/);
  assert.match(found[2], /only from 2026-11-20 on/);
  assert.deepEqual(limits({ ...whole, recorded_from: null }, from, told), ["Nothing is recorded of this time."]);
});
