import assert from "node:assert/strict";
import test from "node:test";
import { load } from "./static.js";

const { spent } = await load("states.js");

test("a state that would be shown with 0 s is not shown", () => {
  assert.deepEqual(spent({ UP: 3560, PARTIAL: 0.4, DOWN: 0.5, UNKNOWN: 0 }), ["DOWN", "UP"]);
  assert.deepEqual(spent({}), []);
});
