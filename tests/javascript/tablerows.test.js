import assert from "node:assert/strict";
import test from "node:test";
import { load } from "./static.js";

const { filtered, groups, sorted } = await load("tablerows.js");

const ROW = { address: "192.0.2.1", group: "", tags: [], state: "UP", since: "2026-01-01T00:00:00.000Z", reason: "", sites: {}, rtt_ms: 1, loss_pct: 0 };
/** @param {string} id @param {object} [more] */
const row = (id, more = {}) => ({ ...ROW, id, name: id, ...more });
const ids = (/** @type {any[]} */ rows) => rows.map((one) => one.id);
const ALL = { text: "", group: "", state: "" };

test("the worst state comes first, then names in their natural order", () => {
  const rows = [row("sw-10"), row("sw-9"), row("b", { state: "DOWN" }), row("c", { state: "DEGRADED" })];
  assert.deepEqual(ids(sorted(rows, "state", "asc")), ["b", "c", "sw-9", "sw-10"]);
});

test("a missing figure is last in both directions", () => {
  const rows = [row("none", { rtt_ms: null }), row("fast", { rtt_ms: 1 }), row("slow", { rtt_ms: 9 })];
  assert.deepEqual(ids(sorted(rows, "rtt", "desc")), ["slow", "fast", "none"]);
  assert.deepEqual(ids(sorted(rows, "rtt", "asc")), ["fast", "slow", "none"]);
});

test("who changed last is first when sorted by how long", () => {
  const rows = [row("old"), row("new", { since: "2026-02-01T00:00:00.000Z" }), row("never", { since: null })];
  assert.deepEqual(ids(sorted(rows, "since", "asc")), ["new", "old", "never"]);
});

test("every word must be found somewhere in the row", () => {
  const rows = [row("web", { tags: ["prod"] }), row("db", { address: "192.0.2.9", tags: ["prod"] })];
  assert.deepEqual(ids(filtered(rows, { ...ALL, text: "prod 192.0.2.9" })), ["db"]);
  assert.deepEqual(ids(filtered(rows, { ...ALL, text: "PROD" })), ["web", "db"]);
  assert.deepEqual(ids(filtered(rows, { ...ALL, text: "prod nothing" })), []);
});

test("a group holds those below it, and no other that begins alike", () => {
  const rows = [row("a", { group: "core" }), row("b", { group: "core/routers" }), row("c", { group: "core2" })];
  assert.deepEqual(ids(filtered(rows, { ...ALL, group: "core" })), ["a", "b"]);
  assert.deepEqual(groups(rows), ["core", "core/routers", "core2"]);
});

test("the groups of one target, from the outermost to its own", () => {
  assert.deepEqual(groups([row("a", { group: "core/routers/edge" })]), ["core", "core/routers", "core/routers/edge"]);
  assert.deepEqual(groups([row("a")]), []);
});
