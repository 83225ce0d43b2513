import assert from "node:assert/strict";
import test from "node:test";
import { load } from "./static.js";

const { completions, groupsIn } = await load("parents.js");

const IDS = ["core-1", "core-2", "firewall"];
const SITES = ["lyon", "paris"];

test("what the options say, group by group", () => {
  for (const [name, value, expected] of /** @type {const} */ ([
    ["parents", [], []],
    ["parents", ["a", "b"], [["", ["a", "b"]]]],
    ["parent_groups", ["a", "b|c"], [["", ["a"]], ["", ["b", "c"]]]],
    ["site_parents", ["paris:a|b", "paris:c", "lyon:-"], [["paris", ["a", "b"]], ["paris", ["c"]], ["lyon", []]]],
  ]))
    assert.deepEqual(groupsIn(name, value).map((/** @type {any} */ one) => [one.site, one.ids]), expected, name);
});

test("what is typed can go on with a site, then a target, then an alternative that is not there yet", () => {
  for (const [name, text, expected] of /** @type {const} */ ([
    ["parent_groups", "", IDS],
    ["parent_groups", "co", ["core-1", "core-2"]],
    ["parent_groups", "core-1|", ["core-1|core-2", "core-1|firewall"]],
    ["parent_groups", "core-1|f", ["core-1|firewall"]],
    ["site_parents", "", ["lyon:", "paris:"]],
    ["site_parents", "pa", ["paris:"]],
    ["site_parents", "paris:", ["paris:-", "paris:core-1", "paris:core-2", "paris:firewall"]],
    ["site_parents", "paris:core-2|c", ["paris:core-2|core-1"]],
  ]))
    assert.deepEqual(completions(name, text, IDS, SITES), expected, `${name} ${text}`);
});

test("of very many targets some are offered", () => {
  const ids = Array.from({ length: 10_000 }, (_, number) => `t-${number}`);
  assert.equal(completions("parent_groups", "t", ids, SITES).length, 200);
});
