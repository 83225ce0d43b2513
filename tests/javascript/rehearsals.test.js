// @ts-check

import assert from "node:assert/strict";
import test from "node:test";
import { load } from "./static.js";

const { estimated, lines, limits } = await load("rehearsals.js");

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
  const whole = { not_played: [], not_measured: [], estimate: null, unasked: [], recorded_from: from, is_of_all: true, is_mail_set_up: true, targets: 5, before: { group_wait_s: 15 }, after: { group_wait_s: 15 } };
  const told = (/** @type {string} */ at) => at.slice(0, 10);
  assert.deepEqual(limits(whole, from, told), []);
  const poor = { not_played: ["timeout_ms", "ttl", "down_after"], not_measured: ["timeout_ms", "ttl"], estimate: null, unasked: ["mars"], recorded_from: "2026-11-20T00:00:00.000Z", is_of_all: false, is_mail_set_up: false, targets: 5, before: { group_wait_s: 15 }, after: { group_wait_s: 15 } };
  const found = limits(poor, from, told);
  assert.equal(found.length, 7);
  assert.match(found[0], /^Not counted: down_after\. /);
  assert.match(found[1], /^Not counted: timeout_ms; what came later/);
  assert.match(found[2], /^Not counted: ttl; /);
  assert.match(found[4], /only from 2026-11-20 on/);
  assert.match(limits({ ...poor, estimate: { target: "a" } }, from, told)[0], /^Not counted of targets other than a: down_after\./);
  assert.match(limits({ ...whole, after: { group_wait_s: 90 } }, from, told)[0], /^Gathered for 90 s, today for 15 s:/);
  assert.deepEqual(limits({ ...whole, recorded_from: null }, from, told), ["Nothing is recorded of this time."]);
});

test("an estimate says of what it is, and how much of it hangs on what nobody kept", () => {
  const one = { target: "sw", from: "2026-11-13T00:00:00.000Z", cycles: 362880, recorded: 2, before: 2, after: 9, assumed: 4 };
  const told = (/** @type {string} */ at) => at.slice(0, 10);
  assert.deepEqual(estimated(one, told), [
    "Estimated from the 362,880 cycles of sw that are kept since 2026-11-13, judged once more by the rules of the prober; both columns begin then.",
    "Its sites called it DOWN 2 times; with today's options it would have been 2 times, with these 9 times.",
    "4 of the 9 may not have come: single re-checks between two cycles are not kept, and these are taken as unanswered for as long as they can have been.",
  ]);
  assert.equal(estimated({ ...one, assumed: 0, after: 1 }, told).length, 2);
});
