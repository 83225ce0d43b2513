// @ts-check
// Periods of time: the ranges of charts and the presets of reports. Pure.

export const MINUTE_MS = 60_000;
export const HOUR_MS = 60 * MINUTE_MS;
export const DAY_MS = 24 * HOUR_MS;

/** @type {readonly {name: string, label: string, ms: number}[]} */
export const RANGES = [
  { name: "15m", label: "15 min", ms: 15 * MINUTE_MS },
  { name: "1h", label: "1 h", ms: HOUR_MS },
  { name: "6h", label: "6 h", ms: 6 * HOUR_MS },
  { name: "24h", label: "24 h", ms: DAY_MS },
  { name: "7d", label: "7 d", ms: 7 * DAY_MS },
  { name: "30d", label: "30 d", ms: 30 * DAY_MS },
  { name: "90d", label: "90 d", ms: 90 * DAY_MS },
  { name: "1y", label: "1 y", ms: 365 * DAY_MS },
  { name: "5y", label: "5 y", ms: 5 * 365 * DAY_MS },
];

/** @typedef {{from: number, to: number}} Period */

/** In the browser's zone, so that a day begins at its midnight. @type {readonly {name: string, label: string, of: (now: Date) => Period}[]} */
export const PRESETS = [
  { name: "today", label: "Today", of: (now) => ({ from: day(now, 0), to: now.getTime() }) },
  { name: "yesterday", label: "Yesterday", of: (now) => ({ from: day(now, -1), to: day(now, 0) }) },
  { name: "7d", label: "7 days", of: (now) => ({ from: now.getTime() - 7 * DAY_MS, to: now.getTime() }) },
  { name: "30d", label: "30 days", of: (now) => ({ from: now.getTime() - 30 * DAY_MS, to: now.getTime() }) },
  { name: "month", label: "This month", of: (now) => ({ from: month(now, 0), to: now.getTime() }) },
  { name: "last-month", label: "Last month", of: (now) => ({ from: month(now, -1), to: month(now, 0) }) },
];

/** @param {Date} now @param {number} days */
const day = (now, days) => new Date(now.getFullYear(), now.getMonth(), now.getDate() + days).getTime();

/** @param {Date} now @param {number} months */
const month = (now, months) => new Date(now.getFullYear(), now.getMonth() + months, 1).getTime();

/** The period that an address names; null where it names none: anybody may type there. @param {URLSearchParams} query @returns {Period|null} */
export function named(query) {
  const [from, to] = [Number(query.get("from") || NaN), Number(query.get("to") || NaN)];
  return from < to && Number.isFinite(new Date(from).getTime()) && Number.isFinite(new Date(to).getTime()) ? { from, to } : null;
}

const STEP = 0.25;

/** The period that a key leads to: arrows go along, plus and minus go in and out. Null: it is no such key, or leads past now.
 * @param {string} key @param {Period} period @param {number} now @returns {Period|null} */
export function moved(key, { from, to }, now) {
  const span = to - from;
  const step = span * STEP;
  if (key === "ArrowLeft") return { from: from - step, to: to - step };
  if (key === "ArrowRight") return to < now ? { from: Math.min(from + step, now - span), to: Math.min(to + step, now) } : null;
  if (key === "+") return { from: from + step, to: to - step };
  if (key === "-") return { from: from - span / 2, to: Math.min(to + span / 2, now) };
  return null;
}

/** Never shown shorter, however new a target is. */
const SHORTEST_MS = 2 * MINUTE_MS;
const MARGIN = 0.02;

/** Where to start a period so that what is older than the target does not fill it: there is no row before, and no known state.
 * @param {Record<string, readonly (readonly (number|null)[])[]>} sites rows of the history, their time first
 * @param {{overall: readonly {start: string, state: string}[]}|null} states @param {number} from @param {number} to */
export function fitting(sites, states, from, to) {
  const rows = Object.values(sites).flatMap((points) => (points.length ? [Number(points[0][0])] : []));
  const known = (states?.overall ?? []).filter((one) => one.state !== "UNKNOWN").map((one) => Date.parse(one.start));
  const first = Math.min(...rows, ...known);
  if (!Number.isFinite(first) || first <= from) return from;
  return Math.max(from, Math.min(first - MARGIN * (to - first), to - SHORTEST_MS));
}

/** A period typed as two local times; null where it is none. @param {string} from @param {string} to @returns {Period|null} */
export function between(from, to) {
  const [start, end] = [new Date(from).getTime(), new Date(to).getTime()];
  return Number.isFinite(start) && Number.isFinite(end) && start < end ? { from: start, to: end } : null;
}
