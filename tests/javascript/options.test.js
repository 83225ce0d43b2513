import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { load } from "./static.js";

const { changed, declared, DEFAULT, fieldsOf, inForce, inWords, levels, OWN, own, typed, value, whole } = await load("options.js");

const DESCRIBED = JSON.parse(readFileSync(new URL("../../services/web/openapi.json", import.meta.url), "utf8"));
const OPTIONS = declared(DESCRIBED);
const FIELDS = fieldsOf(OPTIONS.target);
const field = (/** @type {string} */ name) => FIELDS.find((/** @type {any} */ one) => one.name === name);

test("every option of the API's description has its field, with its label, section and limits", () => {
  const schemas = DESCRIBED.components.schemas;
  const names = (/** @type {any} */ fields) => fields.map((/** @type {any} */ one) => one.name).sort();
  assert.deepEqual(names(FIELDS), Object.keys(schemas.NewTarget.properties).sort());
  assert.deepEqual(names(fieldsOf(OPTIONS.group)), Object.keys(schemas.GroupOptions.properties).sort());
  assert.deepEqual(FIELDS.filter((/** @type {any} */ one) => one.section === "Others" || !one.label), []);
  assert.match(field("interval_s").help, /; 1 to 3600$/);
});

test("what is yes or no is described in these words, and nothing as null", () => {
  const said = FIELDS.map((/** @type {any} */ one) => one.help).filter((/** @type {string} */ help) => /^(true|false)|null/.test(help));
  assert.deepEqual(said, []);
  assert.match(field("mail_flapping").help, /^no: /);
});

test("an option added to the description appears in the form by itself", () => {
  const described = structuredClone(DESCRIBED);
  described.components.schemas.NewTarget.properties.jitter_ms = { anyOf: [{ title: "Jitter", "x-section": "How it is judged", type: "number", minimum: 0, maximum: 9 }, { type: "null" }] };
  const found = fieldsOf(declared(described).target).find((/** @type {any} */ one) => one.name === "jitter_ms");
  assert.deepEqual([found.label, found.kind, found.unit, found.section], ["Jitter", "number", "ms", "How it is judged"]);
});

test("each kind of option has the field that fits", () => {
  const kinds = Object.fromEntries(FIELDS.map((/** @type {any} */ one) => [one.name, one.kind]));
  assert.equal(kinds.family, "choice");
  assert.equal(kinds.ttl, "number");
  assert.equal(kinds.critical, "truth");
  assert.equal(kinds.tags, "words");
  assert.equal(kinds.sites, "sites");
  assert.equal(kinds.note, "note");
  assert.equal(kinds.policy, "text");
  assert.deepEqual(field("family").choices, ["4", "6", "auto", "both"]);
  assert.ok(field("policy").suggestions.includes("majority"));
});

test("what was typed becomes a value, and what is no number is left for the server to refuse", () => {
  assert.equal(value(field("interval_s"), " 2,5 "), 2.5);
  assert.equal(value(field("interval_s"), "soon"), "soon");
  assert.equal(value(field("interval_s"), ""), undefined);
  assert.equal(value(field("critical"), "false"), false);
  assert.deepEqual(value(field("sites"), []), []);
  assert.equal(value(field("sites"), null), undefined);
  assert.deepEqual(own([field("packets"), field("note")], { packets: "3", note: "" }), { packets: 3 });
  assert.equal(typed(field("packets"), 3), "3");
});

test("only what was changed is saved, and what was emptied is given back", () => {
  assert.deepEqual(changed({ packets: 3, note: "a", tags: ["x"] }, { packets: 5, tags: ["x"] }), { packets: 5, note: null });
});

const GROUPS = [
  { path: "", options: { interval_s: 30 } },
  { path: "core", options: { interval_s: 20, tags: ["core"], contacts: ["a@x"] } },
  { path: "core/routers", options: { tags: ["router", "core"] } },
  { path: "other", options: { interval_s: 99 } },
];
const above = levels(OPTIONS.defaults, GROUPS, "core/routers");
const inForceOf = (/** @type {string} */ name, /** @type {Record<string, any>} */ set = {}) => inForce(field(name), [...above, { from: OWN, options: set }]);

test("the nearest group that sets an option wins, and the page says which", () => {
  assert.deepEqual(inForceOf("interval_s"), [{ value: 20, from: "core" }]);
  assert.deepEqual(inForceOf("interval_s", { interval_s: 5 }), [{ value: 5, from: OWN }]);
  assert.deepEqual(inForceOf("packets"), [{ value: 5, from: DEFAULT }]);
});

test("tags and contacts add up down the tree, unless they are cut off", () => {
  assert.deepEqual(inForceOf("tags", { tags: ["edge"] }), [
    { value: ["core"], from: "core" },
    { value: ["router"], from: "core/routers" },
    { value: ["edge"], from: OWN },
  ]);
  assert.deepEqual(whole(field("tags"), inForceOf("tags", { tags: ["edge"], replace_tags: true })), ["edge"]);
  assert.deepEqual(whole(field("contacts"), inForceOf("contacts", { replace_contacts: true })), []);
});

test("what names or describes one target is its own affair", () => {
  assert.deepEqual(inForceOf("note", { note: "ask Vera" }), [{ value: "ask Vera", from: OWN }]);
  assert.deepEqual(inForceOf("replace_tags"), [{ value: false, from: DEFAULT }]);
});

test("what is never so can be said, and is said so wherever it comes from", () => {
  assert.match(field("flap_after").help, /; 0: never; 3 to 100$/);
  assert.equal(value(field("flap_after"), "0"), 0);
  assert.equal(typed(field("flap_after"), 0), "0");
  assert.deepEqual(changed({ flap_after: 5 }, { flap_after: 0 }), { flap_after: 0 });
  assert.deepEqual(inForceOf("flap_after", { flap_after: 0 }), [{ value: 0, from: OWN }]);
  assert.equal(inWords(field("flap_after"), 0), "never");
  assert.equal(inWords(field("degraded_rtt_ms"), null), "never");
  assert.equal(inWords(field("ttl"), null), "the system's");
  assert.equal(inWords(field("uptime_goal_pct"), 0), "no goal");
  assert.equal(inWords(field("packets"), 0), "0");
});

test("a value is said with its unit, and nothing is said as none", () => {
  assert.equal(inWords(field("timeout_ms"), 500), "500 ms");
  assert.equal(inWords(field("address"), null), "none");
  assert.equal(inWords(field("sites"), []), "all sites");
  assert.equal(inWords(field("paused"), false), "no");
});
