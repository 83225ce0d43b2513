import assert from "node:assert/strict";
import test from "node:test";
import { load } from "./static.js";

const { pageOf } = await load("pages.js");

const PAGES = [
  { name: "overview", address: "/", title: "Overview", is_linked: true },
  { name: "target", address: "/targets/<id>", title: "Target", is_linked: false },
  { name: "groups", address: "/groups", title: "Groups", is_linked: true },
];
const found = (/** @type {string} */ path) => {
  const { page, id } = pageOf(path, PAGES);
  return [page?.name, id];
};

test("an address names its page, and what it is about", () => {
  assert.deepEqual(found("/"), ["overview", ""]);
  assert.deepEqual(found("/groups"), ["groups", ""]);
  assert.deepEqual(found("/targets/web-1"), ["target", "web-1"]);
  assert.deepEqual(found("/targets/a%20b"), ["target", "a b"]);
});

test("what is no encoded text names nothing, as it stands", () => {
  assert.deepEqual(found("/targets/%E0%A4"), ["target", "%E0%A4"]);
});

test("an address that is none of ours names no page", () => {
  for (const path of ["/nowhere", "/targets/", "/groups/x", ""]) assert.deepEqual(found(path), [undefined, ""], path);
});
