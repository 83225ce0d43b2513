import assert from "node:assert/strict";
import test from "node:test";
import { load } from "./static.js";

const { decoded } = await load("textfile.js");

/** @param {Buffer} bytes */
const read = (bytes) => decoded(new Uint8Array(bytes).buffer);

test("a file is read in the encodings that spreadsheets write", () => {
  const text = "address\tname\r\n10.0.0.1\tKöln\r\n";
  const wide = Buffer.from(`\ufeff${text}`, "utf16le");
  for (const bytes of [Buffer.from(text), Buffer.from(`\ufeff${text}`), wide, Buffer.from(wide).swap16()]) assert.equal(read(bytes), text);
  assert.equal(read(Buffer.from("")), "");
});

test("a file whose letters would be lost is refused", () => {
  assert.throws(() => read(Buffer.from("Köln", "latin1")), /no UTF-8 text; save it as CSV UTF-8/);
  assert.throws(() => read(Buffer.from([0xff, 0xfe, 0x61])), /no UTF-16 text/);
});
