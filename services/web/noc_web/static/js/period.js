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

/** No chart is of less, nor of more than the API gives. */
const LEAST_MS = 10_000;
const MOST_MS = 3660 * DAY_MS;

/** The period moved by so much, and never past now. @param {Period} period @param {number} byMs @param {number} now @returns {Period} */
export function panned({ from, to }, byMs, now) {
  const by = Math.min(byMs, Math.max(0, now - to));
  return { from: from + by, to: to + by };
}

/** The period `factor` times as long; what is at `at` stays where it is, unless that would lead past now.
 * @param {Period} period @param {number} at @param {number} factor @param {number} now @returns {Period} */
export function scaled({ from, to }, at, factor, now) {
  const span = Math.min(MOST_MS, Math.max(LEAST_MS, (to - from) * factor));
  const start = at - ((at - from) / (to - from)) * span;
  return panned({ from: start, to: start + span }, Math.min(0, now - start - span), now);
}

/** The period that two fingers lead to: what was below each of them stays below it.
 * @param {Period} period @param {readonly [number, number]} before where they were, as shares of the width @param {readonly [number, number]} after
 * @param {number} now @returns {Period} */
export function pinched(period, before, after, now) {
  const span = period.to - period.from;
  const apart = Math.max(0.02, Math.abs(after[1] - after[0]));
  const factor = Math.max(0.02, Math.abs(before[1] - before[0])) / apart;
  const middle = (/** @type {readonly [number, number]} */ places) => (places[0] + places[1]) / 2;
  const moved = panned(period, (middle(before) - middle(after)) * span, now);
  return scaled(moved, moved.from + middle(after) * span, factor, now);
}

/** How long the last stretch is that an address asks for, like 5400s; null where it asks for none. @param {string|null} text */
export function lasting(text) {
  const seconds = /^(\d{1,9})s$/.exec(text ?? "");
  return seconds ? Math.min(MOST_MS, Math.max(LEAST_MS, Number(seconds[1]) * 1000)) : null;
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

const LEAST_AROUND_MS = 10 * MINUTE_MS;
const MOST_AROUND_MS = 6 * HOUR_MS;

/** From some time before something began to some time after it ended, and never past now: as much of it as lies around it.
 * @param {number} from @param {number} to @param {number} now @returns {Period} */
export function around(from, to, now) {
  const margin = Math.min(MOST_AROUND_MS, Math.max(LEAST_AROUND_MS, (to - from) / 2));
  return { from: from - margin, to: Math.max(from, Math.min(to + margin, now)) };
}

/** A period typed as two local times; null where it is none. @param {string} from @param {string} to @returns {Period|null} */
export function between(from, to) {
  const [start, end] = [new Date(from).getTime(), new Date(to).getTime()];
  return Number.isFinite(start) && Number.isFinite(end) && start < end ? { from: start, to: end } : null;
}
