// @ts-check
// What a chart has besides its lines: lanes of loss and jitter above the plot, and what explains the lines behind them.

import vendored from "../vendor/uPlot-1.6.32.js";
import { jitter, jitterTop, LOSS_CLASSES, lossClass, MEDIAN, spans } from "./chartseries.js";
import { brief, ms } from "./format.js";
import { colour, siteColour } from "./theme.js";

/** @type {any} */
const uPlot = vendored;
/** Of the size of the text. */
const LANE = 0.92;
const LANE_GAP = 0.2;
const JITTER_LANE = 2.4;
/** The axis is no wider: so much of a name stands beside its lane. */
const LABEL_CHARS = 10;
/** How little of what is below shows where everything is lost. */
const SOLID = 0.85;
const SHADES = ["--loss-none", "--loss-unknown", ...LOSS_CLASSES.map((one) => one.colour)];

/** How high the lanes of so many sites are together: of loss one for each, and one of jitter for all. @param {number} sites */
export const lanesRem = (sites) => sites * (LANE + LANE_GAP) + JITTER_LANE + LANE_GAP;

/** @typedef {import("./chartseries.js").Point} Point */

/** What a function makes of something that does not change: found once, and drawn at every frame.
 * @template {object} Given @template Made @param {(given: Given) => Made} make @returns {(given: Given) => Made} */
function remembered(make) {
  /** @type {WeakMap<Given, {made: Made}>} */
  const known = new WeakMap();
  return (given) => {
    let found = known.get(given);
    if (!found) known.set(given, (found = { made: make(given) }));
    return found.made;
  };
}

const spansOf = remembered((/** @type {readonly Point[]} */ points) => spans(points));
const jitterTopOf = remembered((/** @type {[string, Point[]][]} */ sites) => jitterTop(sites.map(([, points]) => points)));

/** What is drawn besides the rows: since when and until when a site was blind, a limit of round-trip times, the rows of the period before (moved
 * to this one), when it was in maintenance, when incidents opened and were over, and when the route to it changed.
 * @typedef {{blind: Record<string, [number, number][]>, maintenance: [number, number][], limit: number|null, before: Record<string, Point[]>, incidents: [number, number][], routes: number[]}} Marks */

/** What is below the lines: time in which nobody looked, maintenance, incidents, the period before, and the limit.
 * @param {any} chart @param {[string, Point[]][]} sites @param {Record<string, number>} places @param {Marks} marks */
export function drawBehind(chart, sites, places, marks) {
  const { ctx, bbox } = chart;
  const ratio = uPlot.pxRatio;
  const [x, y] = [(/** @type {number} */ at) => chart.valToPos(at / 1000, "x", true), (/** @type {number} */ ms) => chart.valToPos(ms, "y", true)];
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  for (const [from, to] of shared(sites.map(([site]) => marks.blind[site] ?? []))) hatch(ctx, x(from), bbox.top, x(to) - x(from), bbox.height, ratio);
  const shade = (/** @type {[number, number]} */ [from, to], /** @type {string} */ name, /** @type {number} */ edge) => {
    ctx.fillStyle = colour(name);
    ctx.globalAlpha = 0.12;
    ctx.fillRect(x(from), bbox.top, Math.max(ratio, x(to) - x(from)), bbox.height);
    ctx.globalAlpha = 1;
    ctx.fillRect(x(from), edge, Math.max(2 * ratio, x(to) - x(from)), 3 * ratio);
  };
  // Maintenance stands on the axis and an incident hangs from above: also without colour they are told apart.
  for (const window of marks.maintenance) shade(window, "--maintenance", bbox.top + bbox.height - 3 * ratio);
  for (const incident of marks.incidents) shade(incident, "--down", bbox.top);
  for (const at of marks.routes) {
    // A line with a head: also without colour it is neither an edge of a window nor one of the grid.
    const [left, head] = [Math.round(x(at)), 4 * ratio];
    ctx.fillStyle = colour("--accent");
    ctx.fillRect(left - ratio / 2, bbox.top, ratio, bbox.height);
    ctx.beginPath();
    ctx.moveTo(left - head, bbox.top);
    ctx.lineTo(left + head, bbox.top);
    ctx.lineTo(left, bbox.top + 2 * head);
    ctx.fill();
  }
  ctx.lineWidth = 1.2 * ratio;
  ctx.setLineDash([5 * ratio, 4 * ratio]);
  for (const [site] of sites) {
    const rows = marks.before[site] ?? [];
    const lasting = spansOf(rows);
    ctx.strokeStyle = siteColour(places[site]);
    ctx.globalAlpha = 0.75;
    ctx.beginPath();
    let isOn = false;
    rows.forEach((row, place) => {
      const median = row[MEDIAN];
      if (median === null) isOn = false;
      else if (isOn) ctx.lineTo(x(row[0]), y(median));
      else ctx.moveTo(x(row[0]), y(median));
      isOn = median !== null && !lasting[place].isGap;
    });
    ctx.stroke();
  }
  if (marks.limit !== null) {
    ctx.globalAlpha = 1;
    ctx.strokeStyle = colour("--degraded");
    ctx.setLineDash([2 * ratio, 3 * ratio]);
    ctx.beginPath();
    ctx.moveTo(bbox.left, y(marks.limit));
    ctx.lineTo(bbox.left + bbox.width, y(marks.limit));
    ctx.stroke();
  }
  ctx.restore();
}

/** When all of them are: each list is in order and without overlaps. @param {[number, number][][]} lists @returns {[number, number][]} */
function shared(lists) {
  return lists.length ? lists.reduce((found, list) => found.flatMap(([from, to]) => list.map(([start, end]) => /** @type {[number, number]} */ ([Math.max(from, start), Math.min(to, end)])).filter(([start, end]) => start < end))) : [];
}

/** @param {CanvasRenderingContext2D} ctx @param {number} left @param {number} top @param {number} width @param {number} height @param {number} ratio */
function hatch(ctx, left, top, width, height, ratio) {
  ctx.save();
  ctx.beginPath();
  ctx.rect(left, top, Math.max(width, ratio), height);
  ctx.clip();
  ctx.strokeStyle = colour("--loss-unknown");
  ctx.lineWidth = ratio;
  ctx.beginPath();
  const gap = 7 * ratio;
  const canvas = /** @type {HTMLCanvasElement} */ (ctx.canvas);
  for (let at = Math.max(0, Math.floor((left - height) / gap) * gap); at < Math.min(left + width, canvas.width); at += gap) {
    ctx.moveTo(at, top + height);
    ctx.lineTo(at + height, top);
  }
  ctx.stroke();
  ctx.restore();
}

/** Loss by site in lanes above the plot: the more is lost the higher the bar; grey is silence, hatched what proves nothing.
 * The median is coloured by the loss, and where all is lost a solid bar stands in its place.
 * @param {any} chart @param {[string, Point[]][]} sites @param {Record<string, number>} places @param {string} font @param {number} rem @param {Marks} marks */
export function drawLoss(chart, sites, places, font, rem, marks) {
  const { ctx, bbox } = chart;
  const ratio = uPlot.pxRatio;
  const [lane, gap] = [LANE * rem * ratio, LANE_GAP * rem * ratio];
  ctx.save();
  small(ctx, font, ratio);
  const shades = Object.fromEntries(SHADES.map((name) => [name, colour(name)]));
  const called = brief(sites.map(([site]) => site), LABEL_CHARS);
  sites.forEach(([site, points], place) => {
    const top = bbox.top - (JITTER_LANE + LANE_GAP) * rem * ratio - (sites.length - place) * (lane + gap) - 2 * ratio;
    ctx.fillStyle = colour("--lane");
    ctx.fillRect(bbox.left, top, bbox.width, lane);
    const lasting = spansOf(points);
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, top, bbox.width, lane);
    ctx.clip();
    points.forEach(([at, , , , loss, cycles, invalid, , , median], number) => {
      // On whole pixels neighbours meet: an outage is one bar, without seams.
      const left = Math.round(chart.valToPos(at / 1000, "x", true));
      const width = Math.max(Math.round(ratio), Math.round(chart.valToPos((at + lasting[number].ms) / 1000, "x", true)) - left);
      const found = loss === null ? undefined : lossClass(loss);
      ctx.fillStyle = shades[loss === null || (!cycles && invalid) ? "--loss-unknown" : "--loss-none"];
      ctx.fillRect(left, top, width, lane);
      if (!found || loss === null) return;
      const high = loss >= 100 ? lane : lane * (0.35 + 0.5 * (loss / 100));
      ctx.fillStyle = shades[found.colour];
      ctx.fillRect(left, top + lane - high, Math.max(width, 2 * ratio), high);
      const begin = Math.max(bbox.left, left);
      const wide = Math.max(0, Math.min(left + width, bbox.left + bbox.width) - begin);
      if (loss >= 100 || median !== null) {
        ctx.restore();
        ctx.save();
        if (loss >= 100) {
          // The bars of all sites lie on each other: solid where all of them lose everything.
          ctx.globalAlpha = 1 - (1 - SOLID) ** (1 / sites.length);
          ctx.fillStyle = shades["--loss-all"];
          ctx.fillRect(begin, bbox.top, wide, bbox.height);
        } else if (median !== null) {
          const high = chart.valToPos(median, "y", true);
          ctx.fillStyle = shades[found.colour];
          ctx.fillRect(begin, Math.round(high - 1.5 * ratio), Math.max(wide, 2 * ratio), Math.round(3 * ratio));
        }
        ctx.restore();
        ctx.save();
        ctx.beginPath();
        ctx.rect(bbox.left, top, bbox.width, lane);
        ctx.clip();
      }
    });
    for (const [from, to] of marks.blind[site] ?? []) {
      // Where rows are long, one reaches over time in which nobody looked.
      const left = chart.valToPos(from / 1000, "x", true);
      const wide = chart.valToPos(to / 1000, "x", true) - left;
      ctx.fillStyle = colour("--lane");
      ctx.fillRect(left, top, wide, lane);
      hatch(ctx, left, top, wide, lane, ratio);
    }
    ctx.restore();
    ctx.fillStyle = siteColour(places[site]);
    ctx.textAlign = "right";
    ctx.fillText(called[site], bbox.left - 5 * ratio, top + lane / 2);
  });
  ctx.restore();
}

/** Jitter of all sites in one lane, as high as it is; its scale stands beside it.
 * @param {any} chart @param {[string, Point[]][]} sites @param {Record<string, number>} places @param {string} font @param {number} rem */
export function drawJitter(chart, sites, places, font, rem) {
  const { ctx, bbox } = chart;
  const ratio = uPlot.pxRatio;
  const high = JITTER_LANE * rem * ratio;
  const top = bbox.top - high - (LANE_GAP * rem + 2) * ratio;
  const most = jitterTopOf(sites);
  ctx.save();
  small(ctx, font, ratio);
  ctx.fillStyle = colour("--lane");
  ctx.fillRect(bbox.left, top, bbox.width, high);
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, top, bbox.width, high);
  ctx.clip();
  ctx.lineWidth = 1.2 * ratio;
  for (const [site, points] of sites) {
    const lasting = spansOf(points);
    ctx.strokeStyle = siteColour(places[site]);
    ctx.fillStyle = siteColour(places[site]);
    const fills = new Path2D();
    const lines = new Path2D();
    points.forEach((point, place) => {
      const value = jitter(point);
      if (value === null) return;
      const left = chart.valToPos(point[0] / 1000, "x", true);
      const right = Math.max(left + ratio, chart.valToPos((point[0] + lasting[place].ms) / 1000, "x", true));
      const y = top + high - (most ? Math.min(1, value / most) : 0) * (high - 2 * ratio) - ratio;
      fills.rect(left, y, right - left, top + high - y);
      lines.moveTo(left, y);
      lines.lineTo(right, y);
    });
    ctx.globalAlpha = 0.22;
    ctx.fill(fills);
    ctx.globalAlpha = 1;
    ctx.stroke(lines);
  }
  ctx.restore();
  ctx.fillStyle = colour("--text-2");
  ctx.textAlign = "right";
  ctx.fillText("jitter", bbox.left - 5 * ratio, top + high * 0.3);
  if (most) ctx.fillText(`0–${ms(most)}`, bbox.left - 5 * ratio, top + high * 0.72);
  ctx.restore();
}

/** @param {CanvasRenderingContext2D} ctx @param {string} font @param {number} ratio */
function small(ctx, font, ratio) {
  ctx.font = font.replace(/^(\d+)px/, (_, size) => `${Math.round(Number(size) * ratio * 0.92)}px`);
  ctx.textBaseline = "middle";
}
