// @ts-check
// A chart as a picture of its own: what it is of, the plot, the bars of states below it, and the period's figures.

import { fill, runs } from "./strip.js";
import { full, ms, percent, zone } from "./format.js";
import { colour, siteColour } from "./theme.js";

const LINE = 1.5;
const BAR = 1.1;

/** @typedef {{min: number|null, mean: number|null, max: number|null, loss: number|null}} Figures */

/** @param {any} chart uPlot's @param {{title: string, span: {from: number, to: number}, strips: readonly [string, any[]][], figures: readonly [string, number, Figures][]}} shown
 *   `figures`: by the name and the place of each line @returns {Promise<Blob|null>} */
export function picture(chart, { title, span, strips, figures }) {
  const own = /** @type {HTMLCanvasElement} */ (chart.ctx.canvas);
  const ratio = own.width / own.clientWidth || 1;
  const rem = parseFloat(getComputedStyle(document.documentElement).fontSize) * ratio;
  const canvas = document.createElement("canvas");
  canvas.width = own.width;
  canvas.height = Math.ceil(own.height + rem * (2 * LINE + strips.length * (BAR + 0.2) + figures.length * LINE + 1));
  const ctx = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  ctx.fillStyle = colour("--panel");
  ctx.fillRect(0, 0, canvas.width, canvas.height);
  ctx.textBaseline = "middle";
  const write = (/** @type {string} */ text, /** @type {number} */ x, /** @type {number} */ y, /** @type {string} */ shade, /** @type {string} */ weight = "400") => {
    ctx.font = `${weight} ${Math.round(rem * 0.86)}px system-ui, sans-serif`;
    ctx.fillStyle = colour(shade);
    ctx.fillText(text, x, y);
  };
  const edge = 0.6 * rem;
  write(title, edge, 0.8 * rem, "--text", "600");
  write(`${full(span.from)} to ${full(span.to)}, ${zone()}`, edge, 2.1 * rem, "--text-2");
  let y = 2 * LINE * rem;
  ctx.drawImage(own, 0, y);
  y += own.height + 0.3 * rem;
  const { left, width } = chart.bbox;
  for (const [name, intervals] of strips) {
    ctx.textAlign = "right";
    write(name, left - 0.4 * rem, y + (BAR / 2) * rem, "--text-2");
    ctx.textAlign = "left";
    ctx.fillStyle = colour("--lane");
    ctx.fillRect(left, y, width, BAR * rem);
    for (const { first, last, state } of runs(intervals, span.from, span.to, Math.round(width))) {
      const high = fill(state) * BAR * rem;
      ctx.fillStyle = colour(state === "UNKNOWN" ? "--unknown-bar" : `--${state.toLowerCase()}`);
      ctx.fillRect(left + first, y + BAR * rem - high, last - first + 1, high);
    }
    y += (BAR + 0.2) * rem;
  }
  for (const [name, place, { min, mean, max, loss }] of figures) {
    const middle = y + (LINE / 2) * rem;
    ctx.fillStyle = siteColour(place);
    ctx.fillRect(edge, middle - 0.2 * rem, 1.1 * rem, 0.4 * rem);
    write(`${name}: min ${ms(min)}, mean ${ms(mean)}, max ${ms(max)}, loss ${percent(loss)}`, edge + 1.6 * rem, middle, "--text");
    y += LINE * rem;
  }
  return new Promise((done) => canvas.toBlob(done, "image/png"));
}

/** Hand a file to the person. @param {string} name @param {Blob|null|Promise<Blob|null>} content */
export async function save(name, content) {
  const blob = await content;
  if (!blob) return;
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
}
