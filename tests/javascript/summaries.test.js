import assert from "node:assert/strict";
import test from "node:test";
import { load } from "./static.js";

const { changeOf, dayTitle, FIGURES, mark } = await load("summaries.js");

test("a change is in the figure's own unit, and worse where it rose", () => {
  const row = { loss_pct: 3, rtt_p50_ms: 10, rtt_p95_ms: 20, jitter_ms: null, before: { loss_pct: 1, rtt_p50_ms: 12.5, rtt_p95_ms: 20.001, jitter_ms: 1 } };
  assert.deepEqual(changeOf(row, FIGURES.loss), { text: "+2.00", isWorse: true });
  assert.deepEqual(changeOf(row, FIGURES.median), { text: "−2.50", isWorse: false });
  assert.deepEqual(changeOf(row, FIGURES.p95), { text: "±0", isWorse: false });
  assert.deepEqual(changeOf(row, FIGURES.jitter), { text: "–", isWorse: false });
  assert.deepEqual(changeOf({ ...row, before: null }, FIGURES.loss), { text: "–", isWorse: false });
});

test("the more a day lost the higher it is drawn, and what nobody measured not at all", () => {
  const days = [null, [null, 5, 5], [0, 9, 0], [0.01, 9, 0], [20, 9, 0], [100, 9, 0]].map(mark);
  assert.deepEqual(days.map((one) => one.shade), ["", "loss-unknown", "loss-none", "loss-2", "loss-4", "loss-all"]);
  const heights = days.slice(2).map((one) => one.share);
  assert.deepEqual(heights, [...heights].sort());
  assert.equal(heights.at(-1), 1);
});

test("a day says its date in UTC, its loss and how often it was looked at", () => {
  const at = Date.UTC(2026, 2, 29);
  assert.equal(dayTitle(null, at), "2026-03-29: no data");
  assert.equal(dayTitle([99.99, 8640, 2], at), "2026-03-29: > 99.9 % lost, 8640 cycles, 2 of them invalid");
  assert.equal(dayTitle([null, 4, 4], at), "2026-03-29: not measurable, 4 cycles, 4 of them invalid");
});
