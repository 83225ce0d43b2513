import assert from "node:assert/strict";
import test from "node:test";
import { load } from "./static.js";

const { isWaiting, matching, subject } = await load("incidentrows.js");

const INCIDENT = { kind: "target-down", targets: [], members: [], total_members: 0, site: null, sites: [], acknowledged: null, resolved_at: null, cause: "all sites say DOWN" };
/** @param {string} id @param {object} [more] */
const incident = (id, more = {}) => ({ ...INCIDENT, id, ...more });
/** @param {string} target @param {object} [more] */
const of = (target, more = {}) => ({ targets: [target], members: [{ target, name: `Name of ${target}`, address: "192.0.2.7", group: "core/routers", ...more }], total_members: 1 });
const NONE = { show: "open", me: "anna", text: "", group: "", site: "", kind: "", unacknowledged: false };
const ROWS = new Map([["db", { name: "Database", group: "office" }]]);
const ALL = [
  incident("router", of("r1")),
  incident("old", { targets: ["db"], total_members: 1, resolved_at: "2026-01-01T00:00:00.000Z", comments: [{ by: "carla", text: "a mouse" }] }),
  incident("blind", { kind: "site-blind", site: "paris", acknowledged: { by: "anna", comment: "cable is cut" } }),
  incident("seen", { ...of("w1", { group: "core2" }), sites: ["lyon"], acknowledged: { by: "bert", comment: "" } }),
];
/** @param {object} filter */
const shown = (filter) => matching(ALL, { ...NONE, ...filter }, ROWS).map((/** @type {any} */ one) => one.id);

for (const [why, filter, expected] of /** @type {[string, object, string[]][]} */ ([
  ["no filter hides anything", {}, ["router", "old", "blind", "seen"]],
  ["past ones are over", { show: "past" }, ["old"]],
  ["mine are those that I acknowledged", { show: "mine" }, ["blind"]],
  ["a group holds those below it, and no other that begins alike", { group: "core" }, ["router"]],
  ["an incident of an older version goes by the groups of today", { group: "office" }, ["old"]],
  ["a site is the one that is blind or one that said DOWN", { site: "paris" }, ["blind"]],
  ["by the sites that people were told of", { site: "lyon" }, ["seen"]],
  ["by kind", { kind: "site-blind" }, ["blind"]],
  ["whom nobody has acknowledged", { unacknowledged: true }, ["router", "old"]],
  ["every word must be found somewhere", { text: "NAME 192.0.2.7 r1" }, ["router"]],
  ["in the comment too", { text: "cable" }, ["blind"]],
  ["in what people said of it", { text: "carla mouse" }, ["old"]],
  ["a name of today counts", { text: "database" }, ["old"]],
  ["nothing matches", { text: "core nothing" }, []],
  ["all conditions at once", { group: "core2", site: "lyon", unacknowledged: true }, []],
])) {
  test(why, () => assert.deepEqual(shown(filter), expected));
}

test("only what is open and nobody's waits to be acknowledged", () => {
  assert.deepEqual(ALL.filter(isWaiting).map((one) => one.id), ["router"]);
});

test("an incident is called by its first target, its site, or NOC itself", () => {
  const many = incident("many", { targets: ["db", "x"], total_members: 7 });
  assert.deepEqual([...ALL.slice(0, 3), many, incident("own")].map((one) => subject(one, ROWS)), ["Name of r1", "Database", "site paris", "Database and 6 more", "NOC itself"]);
});
