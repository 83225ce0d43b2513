import assert from "node:assert/strict";
import test from "node:test";
import { load } from "./static.js";

const { steered } = await load("gestures.js");

// Powers of two, so that every share of them is exact.
const NOW = 2 ** 40;
const WIDE = 128;
const SPAN = 2 ** 20;
const WHOLE = { from: 0, to: SPAN };

/** A plot of so many pixels, and what was shown of it. */
function plot() {
  const over = Object.assign(new EventTarget(), { clientWidth: WIDE, getBoundingClientRect: () => ({ left: 0 }) });
  let period = WHOLE;
  const done = /** @type {any[]} */ ([]);
  const show = (/** @type {any} */ next) => void (period = next);
  const steering = steered({ over, axis: null, period: () => period, now: () => NOW, show, done: (/** @type {any} */ next) => done.push(next) });
  const finger = (/** @type {string} */ what, /** @type {number} */ pointerId, clientX = 0) =>
    over.dispatchEvent(Object.assign(new Event(`pointer${what}`), { pointerType: "touch", pointerId, clientX }));
  return { finger, done, isHeld: steering.isHeld, shown: () => period };
}

test("one finger moves the chart along, two scale it", () => {
  const { finger, done, shown, isHeld } = plot();
  finger("down", 1, 64);
  finger("move", 1, 32);
  assert.deepEqual(shown(), { from: SPAN / 4, to: (5 * SPAN) / 4 });
  finger("down", 2, 64);
  finger("move", 2, 96);
  assert.equal(shown().to - shown().from, SPAN / 2);
  finger("up", 2);
  assert.ok(isHeld());
  finger("up", 1);
  assert.deepEqual(done, [shown()]);
  assert.ok(!isHeld());
});

test("where the browser takes one of two fingers away, the other goes on from what was shown before", () => {
  const { finger, done, shown } = plot();
  finger("down", 1, 32);
  finger("down", 2, 96);
  finger("move", 2, 112);
  finger("cancel", 1);
  assert.deepEqual(shown(), WHOLE);
  finger("move", 2, 96);
  assert.deepEqual(shown(), { from: SPAN / 8, to: (9 * SPAN) / 8 });
  finger("up", 2);
  assert.deepEqual(done, [shown()]);
});

test("what a finger did that the browser takes away is undone", () => {
  const { finger, done, shown, isHeld } = plot();
  finger("down", 1, 64);
  finger("move", 1, 32);
  finger("cancel", 1);
  assert.deepEqual(shown(), WHOLE);
  assert.deepEqual(done, []);
  assert.ok(!isHeld());
});
