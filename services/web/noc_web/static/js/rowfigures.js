// @ts-check
// The figures of a row as people read them: the range over its sites, and how old they are. Pure.

import { duration, ms } from "./format.js";

/** @typedef {import("./live.d.ts").TargetRow} Row @typedef {import("./live.d.ts").SiteCell} Cell */

const FRESH_CYCLES = 3;
const PATIENCE_MS = 5_000;

/** How long ago a cell's figures were measured, where that is longer than its interval lets one expect; null: they are fresh, or there are none.
 * @param {Cell|undefined} cell @param {number} intervalS @param {number} nowMs @returns {string|null} */
export function age(cell, intervalS, nowMs) {
  if (!cell?.at || (cell.rtt_ms === null && cell.loss_pct === null)) return null;
  const old = nowMs - Date.parse(cell.at);
  return old > FRESH_CYCLES * intervalS * 1000 + PATIENCE_MS ? duration(old / 1000) : null;
}

/** The round-trip times of all sites that see it, best to worst. @param {Row} row */
export function rttRange(row) {
  const [best, worst] = [row.rtt_min_ms, row.rtt_max_ms];
  const [low, high] = [ms(best), ms(worst)];
  return low === high ? high : `${low.replace(" ms", "")}–${high}`;
}

/** Who measured them, and how long ago where they are old, for those who ask. @param {Row} row @param {string|null} old */
export function rttTitle(row, old) {
  const seen = Object.entries(row.sites).filter(([, cell]) => cell.rtt_ms !== null);
  return [...seen.map(([site, cell]) => `${site} ${ms(cell.rtt_ms)}`), ...(old ? [`measured ${old} ago`] : [])].join(", ");
}

/** How many of the echo requests were answered, and how soon on the mean. @param {number} received @param {number} sent @param {readonly number[]} rttsMs */
export function answered(received, sent, rttsMs) {
  const mean = rttsMs.length ? `, ${ms(rttsMs.reduce((sum, one) => sum + one, 0) / rttsMs.length)}` : "";
  return `${received} of ${sent} answered${mean}`;
}
