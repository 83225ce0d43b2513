import assert from "node:assert/strict";
import test from "node:test";
import { load } from "./static.js";

const { INITIAL, reduce } = await load("store.js");

const row = (/** @type {any} */ more) => ({ id: "a", name: "A", address: "192.0.2.1", group: "core", tags: ["edge"], state: "UP", ...more });
const nothing = { targets: [], removed: [], sites: [], removed_sites: [], incidents: [], removed_incidents: [] };

test("the catalogue is another one when a target comes, goes, or is called or grouped otherwise, and not for how it is", () => {
  let state = reduce(INITIAL, { kind: "snapshot", said: { boot: "1", revision: 0, targets: [row({})], sites: [], incidents: [] }, nowMs: 0 });
  for (const [said, isAnother, why] of /** @type {const} */ ([
    [{ targets: [row({ state: "DOWN" })] }, false, "its state"],
    [{}, false, "nothing of targets"],
    [{ targets: [row({ group: "core/deep" })] }, true, "its group"],
    [{ targets: [row({ group: "core/deep", tags: [] })] }, true, "its tags"],
    [{ targets: [row({ group: "core/deep", tags: [], name: "B" })] }, true, "its name"],
    [{ targets: [row({ id: "b" })] }, true, "one more"],
    [{ removed: ["b"] }, true, "one less"],
  ])) {
    const before = state;
    state = reduce(before, { kind: "delta", said: { ...nothing, ...said, revision: before.revision + 1 }, nowMs: 0 });
    assert.equal(state.revision, before.revision + 1);
    assert.equal(state.catalog !== before.catalog, isAnother, why);
  }
});
