// @ts-check
// Intervals of state as runs of columns, the worst state of each column winning: no outage is too short to be seen. Pure.

import { severity } from "./states.js";

/** How much of a bar's height a state fills: what is bad stands out without colour.
 * @type {Record<string, number>} */
const HEIGHTS = { UP: 0.4, MAINTENANCE: 0.4, PAUSED: 0.3, UNKNOWN: 0.6, DEGRADED: 0.7, PARTIAL: 0.85, UNREACHABLE: 1, DOWN: 1 };

/** @param {string} state */
export const fill = (state) => HEIGHTS[state] ?? 0.6;

/** @typedef {{start: string, end: string, seconds: number, state: string, reason: string}} Interval */

/** @param {readonly Interval[]} intervals @param {number} from @param {number} to @param {number} most columns
 * @returns {{first: number, last: number, state: string, interval: Interval}[]} */
export function runs(intervals, from, to, most) {
  /** @type {(Interval|null)[]} */
  const columns = new Array(most).fill(null);
  for (const interval of intervals) {
    if (Date.parse(interval.end) <= from || Date.parse(interval.start) >= to) continue;
    const first = Math.max(0, Math.floor(((Date.parse(interval.start) - from) / (to - from)) * most));
    const last = Math.min(most - 1, Math.ceil(((Date.parse(interval.end) - from) / (to - from)) * most) - 1);
    for (let place = first; place <= Math.max(first, last) && place < most; place += 1) {
      const there = columns[place];
      if (!there || severity(interval.state) < severity(there.state)) columns[place] = interval;
    }
  }
  /** @type {{first: number, last: number, state: string, interval: Interval}[]} */
  const found = [];
  for (let place = 0; place < most; place += 1) {
    const interval = columns[place];
    const before = found[found.length - 1];
    if (!interval) continue;
    if (before && before.interval === interval && before.last === place - 1) before.last = place;
    else found.push({ first: place, last: place, state: interval.state, interval });
  }
  return found;
}
