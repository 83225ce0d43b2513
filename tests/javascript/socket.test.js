import assert from "node:assert/strict";
import test from "node:test";
import { load } from "./static.js";

const { Live } = await load("socket.js");
const { Store } = await load("store.js");

/** A connection that does what the test says. */
class Wire {
  constructor() {
    this.connected = this.active = true;
    /** @type {Record<string, (body?: any) => void>} */
    this.heard = {};
    /** @type {[string, any][]} */
    this.sent = [];
  }
  /** @param {string} event @param {(body?: any) => void} listener */
  on(event, listener) {
    this.heard[event] = listener;
    return this;
  }
  /** @param {string} event @param {any} body */
  emit(event, body) {
    this.sent.push([event, body]);
    return this;
  }
  connect() {
    return this;
  }
}

const SNAPSHOT = { boot: "b", revision: 5, at: new Date().toISOString(), kpis: { total: 0 }, all_well: true, complete: true, targets: [], sites: [], incidents: [], trouble: [], services: {} };
const DELTA = { at: SNAPSHOT.at, kpis: { total: 0 }, all_well: true, targets: [], removed: [], sites: [], removed_sites: [], incidents: [], removed_incidents: [], trouble: null, services: null };

/** @param {import("node:test").TestContext} context */
function started(context) {
  const wire = new Wire();
  const store = new Store();
  /** @type {any} */
  let options;
  let refused = 0;
  const live = new Live(store, () => (refused += 1), (/** @type {any} */ given) => ((options = given), wire));
  context.after(() => clearInterval(live.looking));
  return { wire, store, options, refused: () => refused, hellos: () => wire.sent.filter(([event]) => event === "hello").length };
}

test("a hello that waits for its answer is not said again, whatever is missed meanwhile", (context) => {
  const { wire, hellos } = started(context);
  wire.heard.connect();
  wire.heard.tick({ revision: 9, at: SNAPSHOT.at });
  wire.heard.tick({ revision: 10, at: SNAPSHOT.at });
  assert.equal(hellos(), 1);
  wire.heard.snapshot(SNAPSHOT);
  for (const revision of [8, 9, 10]) wire.heard.delta({ ...DELTA, revision });
  assert.equal(hellos(), 2);
  wire.heard.delta({ ...DELTA, revision: 6 });
  wire.heard.delta({ ...DELTA, revision: 9 });
  assert.equal(hellos(), 3);
});

test("before the first snapshot the page is not live, whatever else arrives", (context) => {
  const { wire, store } = started(context);
  wire.heard.connect();
  wire.heard.tick({ revision: 0, at: SNAPSHOT.at });
  assert.equal(store.state.connection, "connecting");
  wire.heard.snapshot(SNAPSHOT);
  assert.equal(store.state.connection, "live");
});

test("a refusal is known by its code, and its sentence is only shown", (context) => {
  const { wire, store, refused } = started(context);
  wire.active = false;
  wire.heard.connect_error(Object.assign(new Error("x"), { data: { code: "log-in" } }));
  assert.deepEqual([refused(), store.state.refusal], [1, "you are logged out"]);
  wire.heard.connect_error(Object.assign(new Error("log in"), { data: { code: "too-many" } }));
  assert.deepEqual([refused(), store.state.refusal], [1, "log in"]);
});

test("no wait between two attempts to connect is longer than ten seconds", (context) => {
  const { options } = started(context);
  assert.ok(options.reconnectionDelayMax * (1 + options.randomizationFactor) <= 10_000);
});

test("a page that reaches no server says so, until it is let in", (context) => {
  const { wire, store } = started(context);
  wire.heard.connect_error(new Error("websocket error"));
  assert.deepEqual([store.state.isUnreached, store.state.refusal], [true, ""]);
  wire.active = false;
  wire.heard.connect_error(new Error("admin has 20 pages open already"));
  assert.deepEqual([store.state.isUnreached, store.state.refusal], [false, "admin has 20 pages open already"]);
  wire.heard.connect();
  assert.deepEqual([store.state.isUnreached, store.state.refusal], [false, ""]);
});
