import assert from "node:assert/strict";
import test from "node:test";
import { load } from "./static.js";

const { moved } = await load("period.js");

test("keys lead along and in and out of a period, and never past now", () => {
  const period = { from: 1000, to: 2000 };
  assert.deepEqual(moved("ArrowLeft", period, 5000), { from: 750, to: 1750 });
  assert.deepEqual(moved("ArrowRight", period, 5000), { from: 1250, to: 2250 });
  assert.deepEqual(moved("ArrowRight", period, 2100), { from: 1100, to: 2100 });
  assert.equal(moved("ArrowRight", period, 2000), null);
  assert.deepEqual(moved("+", period, 5000), { from: 1250, to: 1750 });
  assert.deepEqual(moved("-", period, 2200), { from: 500, to: 2200 });
  assert.equal(moved("a", period, 5000), null);
});
