import assert from "node:assert/strict";
import test from "node:test";
import { load } from "./static.js";

const { around, lasting, moved, panned, pinched, scaled } = await load("period.js");

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

test("a chart is moved along, never past now, and scaled about what is below the mouse", () => {
  const period = { from: 100_000, to: 200_000 };
  assert.deepEqual(panned(period, -50_000, 500_000), { from: 50_000, to: 150_000 });
  assert.deepEqual(panned(period, 50_000, 210_000), { from: 110_000, to: 210_000 });
  assert.deepEqual(panned(period, 50_000, 190_000), period);
  assert.deepEqual(scaled(period, 125_000, 0.5, 500_000), { from: 112_500, to: 162_500 });
  assert.deepEqual(scaled(period, 150_000, 2, 210_000), { from: 10_000, to: 210_000 });
  assert.deepEqual(scaled(period, 150_000, 0.0001, 500_000), { from: 145_000, to: 155_000 });
});

test("what was below two fingers stays below them", () => {
  const period = { from: 100_000, to: 200_000 };
  assert.deepEqual(pinched(period, [0.4, 0.6], [0.3, 0.7], 500_000), { from: 125_000, to: 175_000 });
  const along = pinched(period, [0.4, 0.6], [0.6, 0.8], 500_000);
  assert.deepEqual([Math.round(along.from), Math.round(along.to)], [80_000, 180_000]);
});

test("an address may ask for the last stretch of any length", () => {
  assert.equal(lasting("5400s"), 5_400_000);
  assert.equal(lasting("1s"), 10_000);
  for (const bad of [null, "", "1h", "-5s", "1e9s"]) assert.equal(lasting(bad), null);
});

test("around something is half as long before and after, ten minutes at least and six hours at most, and never past now", () => {
  const [minute, hour] = [60_000, 3_600_000];
  assert.deepEqual(around(10 * hour, 12 * hour, 100 * hour), { from: 9 * hour, to: 13 * hour });
  assert.deepEqual(around(10 * hour, 10 * hour + minute, 100 * hour), { from: 10 * hour - 10 * minute, to: 10 * hour + 11 * minute });
  assert.deepEqual(around(100 * hour, 200 * hour, 900 * hour), { from: 94 * hour, to: 206 * hour });
  assert.deepEqual(around(10 * hour, 12 * hour, 12 * hour), { from: 9 * hour, to: 12 * hour });
});
