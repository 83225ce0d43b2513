// @ts-check
// Which rows the table shows and in which order. Pure.

import { severity } from "./states.js";

/** @typedef {import("./store.js").Row} Row */

/** Names in their natural order: 2 before 10. @type {WeakMap<Row, string>} */
const keys = new WeakMap();

/** @param {Row} row */
function nameKey(row) {
  let key = keys.get(row);
  if (key === undefined) {
    key = natural(row.name);
    keys.set(row, key);
  }
  return key;
}

/** @param {string} text */
const natural = (text) => text.toLowerCase().replace(/\d+/g, (digits) => digits.padStart(10, "0"));

/** A missing number is last in both directions. @param {number|null} value */
const known = (value) => value !== null && value !== undefined;

/** @type {Record<string, (row: Row) => number|string|null>} */
const VALUES = {
  state: (row) => severity(row.state),
  name: nameKey,
  rtt: (row) => row.rtt_ms,
  loss: (row) => row.loss_pct,
  group: (row) => natural(row.group),
  address: (row) => natural(row.address),
  since: (row) => (row.since ? -Date.parse(row.since) : null),
};

/** The direction that is asked for more often is the first. @param {string} column */
export const firstDirection = (column) => (column === "rtt" || column === "loss" ? "desc" : "asc");

/** @param {Iterable<Row>} rows @param {{text: string, group: string, state: string}} filter @returns {Row[]} */
export function filtered(rows, { text, group, state }) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const found = [];
  for (const row of rows) {
    if (state && row.state !== state) continue;
    if (group && row.group !== group && !row.group.startsWith(`${group}/`)) continue;
    if (words.length) {
      const all = `${row.name}\n${row.id}\n${row.address}\n${row.group}\n${row.tags.join("\n")}\n${row.reason}`.toLowerCase();
      if (!words.every((word) => all.includes(word))) continue;
    }
    found.push(row);
  }
  return found;
}

/** @param {Row[]} rows changed in place @param {string} column @param {string} direction */
export function sorted(rows, column, direction) {
  const value = VALUES[column] ?? VALUES.state;
  const sign = direction === "desc" ? -1 : 1;
  const keyed = rows.map((row) => ({ row, value: value(row), name: nameKey(row) }));
  keyed.sort((one, other) => {
    if (one.value !== other.value) {
      if (!known(/** @type {any} */ (one.value))) return 1;
      if (!known(/** @type {any} */ (other.value))) return -1;
      return /** @type {any} */ (one.value) < /** @type {any} */ (other.value) ? -sign : sign;
    }
    return one.name < other.name ? -1 : one.name > other.name ? 1 : 0;
  });
  return keyed.map((one) => one.row);
}

/** All group paths and those above them. @param {Iterable<Row>} rows @returns {string[]} */
export function groups(rows) {
  const found = new Set();
  for (const row of rows) {
    const parts = row.group.split("/").filter(Boolean);
    for (let length = 1; length <= parts.length; length += 1) found.add(parts.slice(0, length).join("/"));
  }
  return [...found].sort();
}

/** Every tag that some row has. @param {Iterable<import("./store.js").Row>} rows */
export const tags = (rows) => [...new Set([...rows].flatMap((row) => row.tags))].sort();
