// @ts-check
// The text of a file, in the encodings that spreadsheets write.

/** By the two bytes that such a file begins with. */
const WIDE = new Map([
  ["255,254", "utf-16le"],
  ["254,255", "utf-16be"],
]);

/** Never with letters that were lost on the way: those would come back as names.
 * @param {ArrayBuffer} bytes @returns {string} @throws {Error} with a sentence where it is no such text */
export function decoded(bytes) {
  const first = String(new Uint8Array(bytes.slice(0, 2)));
  const wide = WIDE.get(first);
  try {
    return new TextDecoder(wide ?? "utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new Error(`The file is no ${wide ? "UTF-16" : "UTF-8"} text; save it as CSV UTF-8.`);
  }
}
