import assert from "node:assert/strict";
import test from "node:test";
import { load } from "./static.js";

const { ApiError, refuseTaken } = await load("api.js");

test("a name that is taken is refused beside its field, and a free one is not", () => {
  refuseTaken("calendar", "calendar", "office", ["nights", "office-2"]);
  assert.throws(() => refuseTaken("calendar", "calendar", "office", ["nights", "office"]), (error) => {
    assert.ok(error instanceof ApiError);
    assert.deepEqual(error.of("calendar"), ["A calendar 'office' exists already; choose another name."]);
    return true;
  });
});
