// @ts-check
// What the pages of many targets make of the API's figures. Pure.

import { lossClass } from "./chartseries.js";
import { ms, percent } from "./format.js";

/** @typedef {{name: string, title: string, text: (value: number|null|undefined) => string, digits: number}} Figure */

/** By what the API calls them where it sorts by them; in its rows they are called `name`. `digits`: of a change.
 * @type {Readonly<Record<string, Figure>>} */
export const FIGURES = {
  loss: { name: "loss_pct", title: "Loss", text: percent, digits: 2 },
  median: { name: "rtt_p50_ms", title: "Median", text: ms, digits: 2 },
  p95: { name: "rtt_p95_ms", title: "p95", text: ms, digits: 2 },
  jitter: { name: "jitter_ms", title: "Jitter", text: ms, digits: 2 },
};

/** How a figure has changed against the period before: points of loss, or milliseconds. @param {any} row @param {Figure} figure
 * @returns {{text: string, isWorse: boolean}} */
export function changeOf(row, { name, digits }) {
  const [now, before] = [row[name], row.before?.[name] ?? null];
  if (now === null || before === null) return { text: "–", isWorse: false };
  const text = Math.abs(now - before).toFixed(digits);
  if (Number(text) === 0) return { text: "±0", isWorse: false };
  return { text: `${now > before ? "+" : "−"}${text}`, isWorse: now > before };
}

/** @typedef {[number|null, number, number]|null} Day loss_pct, cycles, invalid; null: nothing was measured */

/** How a day is drawn: a shade, and how much of the height it fills, so that loss stands out without colour. @param {Day} day
 * @returns {{shade: string, share: number}} `shade` empty: not at all */
export function mark(day) {
  if (day === null) return { shade: "", share: 0 };
  const [loss] = day;
  if (loss === null) return { shade: "loss-unknown", share: 0.5 };
  const found = lossClass(loss);
  return found ? { shade: found.colour.slice(2), share: 0.5 + 0.5 * Math.min(1, Math.sqrt(loss / 100)) } : { shade: "loss-none", share: 0.4 };
}

/** @param {Day} day @param {number} at its beginning */
export function dayTitle(day, at) {
  const date = new Date(at).toISOString().slice(0, 10);
  if (day === null) return `${date}: no data`;
  const [loss, cycles, invalid] = day;
  return `${date}: ${loss === null ? "not measurable" : `${percent(loss)} lost`}, ${cycles} cycles${invalid ? `, ${invalid} of them invalid` : ""}`;
}
