// @ts-check
// Draws the history on a canvas with uPlot: for each site the smoke of its percentiles, the median, and its loss in a lane above.

import vendored from "../vendor/uPlot-1.6.32.js";
import { columns, LOSS_CLASSES, lossClass, MEDIAN, spans } from "./chartseries.js";
import { clock, day } from "./format.js";
import { colour } from "./theme.js";

/** @type {any} */
const uPlot = vendored;
/** Of the size of the text. */
const LANE = 0.92;
const LANE_GAP = 0.2;
/** How high one site's lane of loss is, with the gap to the next. */
export const LANE_REM = LANE + LANE_GAP;
const NULLS_EXPAND = 2;
/** How little of what is below shows where everything is lost. */
const SOLID = 0.85;
/** A site has one for each percentile. */
const SERIES = 5;
const SHADES = ["--loss-none", "--loss-unknown", ...LOSS_CLASSES.map((one) => one.colour)];

/** @typedef {import("./chartseries.js").Point} Point */

/** @param {number} place */
export const siteColour = (place) => colour(`--site-${(place % 6) + 1}`);

/** What is drawn besides the rows: since when and until when a site was blind, a limit of round-trip times, the rows of the period before (moved
 * to this one), and when incidents opened and were over.
 * @typedef {{blind: Record<string, [number, number][]>, limit: number|null, before: Record<string, Point[]>, incidents: [number, number][]}} Marks */

/** `sites`, `marks` and `span` are looked at anew whenever the data is set.
 * @param {HTMLElement} element
 * @param {{sites: () => [string, Point[]][], places: Record<string, number>, span: {from: number, to: number}, width: number, height: number,
 *   axis: "auto"|"zero"|"log", marks: () => Marks, onPlot: (place: {left: number, width: number}) => void,
 *   onZoom: (from: number, to: number) => void, onBack: () => void, onCursor: (at: number|null) => void}} wanted
 */
export function draw(element, { sites: latest, places, span, width, height, axis: kind, marks, onPlot, onZoom, onBack, onCursor }) {
  const sites = latest();
  const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
  const font = `${Math.round(rem * 0.78)}px system-ui, sans-serif`;
  const lanes = Math.round(sites.length * LANE_REM * rem) + 6;
  const axis = { stroke: colour("--text-2"), font, grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line"), width: 1 } };
  const touch = { isCancelled: false };
  const chart = new uPlot(
    {
      width,
      height,
      padding: [lanes, 12, 0, 4],
      legend: { show: false },
      scales: { x: { time: true, range: () => [span.from / 1000, span.to / 1000] }, y: { distr: kind === "log" ? 3 : 1, range: (/** @type {any} */ _, /** @type {number|null} */ low, /** @type {number|null} */ high) => rangeOf(low, high, kind) } },
      axes: [
        { ...axis, values: times, space: rem * 6, size: rem * 2.6 },
        { ...axis, size: rem * 4, values: (/** @type {any} */ _, /** @type {(number|null)[]} */ all) => all.map((one) => (one === null ? "" : `${Number(one.toPrecision(6))} ms`)) },
      ],
      cursor: {
        drag: { x: true, y: false, setScale: false, dist: 6 },
        bind: {
          dblclick: () => () => {
            onBack();
            return null;
          },
        },
        points: { size: 5 },
      },
      series: [{}, ...sites.flatMap(([site]) => seriesOf(siteColour(places[site])))],
      bands: sites.flatMap(([site], place) => smoke(place * SERIES, siteColour(places[site]))),
      hooks: {
        // What is below lines up with the plot.
        drawAxes: [(/** @type {any} */ shown) => onPlot({ left: Math.round(shown.bbox.left / uPlot.pxRatio), width: Math.round(shown.bbox.width / uPlot.pxRatio) })],
        drawClear: [(/** @type {any} */ shown) => drawBehind(shown, latest(), places, marks())],
        draw: [(/** @type {any} */ shown) => drawLoss(shown, latest(), places, font, rem, marks())],
        setCursor: [(/** @type {any} */ shown) => onCursor(shown.cursor.left >= 0 ? shown.posToVal(shown.cursor.left, "x") * 1000 : null)],
        setSelect: [
          (/** @type {any} */ shown) => {
            const { left, width: wide } = shown.select;
            if (wide > 5 && !touch.isCancelled) onZoom(shown.posToVal(left, "x") * 1000, shown.posToVal(left + wide, "x") * 1000);
            shown.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
          },
        ],
      },
    },
    joined(sites),
    element,
  );
  dragByTouch(chart.over, touch);
  return chart;
}

const AIR = 0.1;
const LOG_AIR = 1.25;
/** What is faster is drawn as if it took so long: no logarithm has a nought. */
const SHORTEST_MS = 0.01;

/** The axis of round-trip times: what is there with a little air, or from 0, or by powers of ten. @param {number|null} low @param {number|null} high
 * @param {"auto"|"zero"|"log"} kind @returns {[number, number]} */
export function rangeOf(low, high, kind) {
  if (kind === "log") return low === null || high === null ? [0.1, 1000] : [Math.max(low, SHORTEST_MS) / LOG_AIR, Math.max(high, SHORTEST_MS) * LOG_AIR];
  if (low === null || high === null) return [0, 1];
  if (kind === "zero") return [0, (high || 1) * (1 + AIR)];
  const air = (high - low || high || 1) * AIR;
  return [Math.max(0, low - air), high + air];
}

/** A finger that moves sideways drags as a mouse does; up and down it moves the page (`touch-action` says so).
 * @param {HTMLElement} over what uPlot listens on @param {{isCancelled: boolean}} touch */
function dragByTouch(over, touch) {
  // Of moves that move nothing uPlot takes no notice.
  const pass = (/** @type {string} */ kind, /** @type {PointerEvent} */ event) =>
    over.dispatchEvent(new MouseEvent(kind, { bubbles: true, clientX: event.clientX, clientY: event.clientY, button: 0, buttons: kind === "mouseup" ? 0 : 1, movementX: 1 }));
  const listen = (/** @type {"pointerdown"|"pointermove"|"pointerup"|"pointercancel"} */ on, /** @type {(event: PointerEvent) => void} */ act) =>
    over.addEventListener(on, (event) => event.pointerType === "touch" && act(event));
  listen("pointerdown", (event) => {
    touch.isCancelled = false;
    pass("mousemove", event);
    pass("mousedown", event);
  });
  listen("pointermove", (event) => pass("mousemove", event));
  listen("pointerup", (event) => pass("mouseup", event));
  listen("pointercancel", (event) => {
    touch.isCancelled = true;
    pass("mouseup", event);
  });
}

/** @param {[string, Point[]][]} sites */
export function joined(sites) {
  if (!sites.length) return [[]];
  const tables = sites.map(([, points]) => columns(points)).filter((table) => table[0].length);
  if (tables.length === 1 && sites.length === 1) return tables[0];
  const empty = sites.length - tables.length;
  if (!tables.length) return [[], ...sites.flatMap(() => Array.from({ length: SERIES }, () => []))];
  // Without it the rows of other sites would bridge a site's gaps.
  const all = uPlot.join(tables, tables.map((table) => table.map(() => NULLS_EXPAND)));
  if (!empty) return all;
  // A site without any row still has its series.
  const found = [all[0]];
  let next = 1;
  for (const [, points] of sites) {
    for (let place = 0; place < SERIES; place += 1) found.push(points.length ? all[next + place] : all[0].map(() => null));
    if (points.length) next += SERIES;
  }
  return found;
}

/** Of percentiles only the median is a line, the others are the bands' edges. @param {string} stroke */
const seriesOf = (stroke) => {
  const edge = { stroke: "transparent", width: 0, points: { show: false } };
  const shown = (/** @type {any} */ chart, /** @type {number} */ series, /** @type {number} */ first, /** @type {number} */ last) => last - first < 120;
  return [edge, edge, { stroke, width: 1.6, points: { show: shown, size: 4, fill: stroke } }, edge, edge];
};

/** From the 5th to the 95th percentile thin, from the 25th to the 75th thicker. @param {number} before how many series are before its own @param {string} stroke */
const smoke = (before, stroke) => [
  { series: [before + 5, before + 1], fill: faded(stroke, 0.16) },
  { series: [before + 4, before + 2], fill: faded(stroke, 0.2) },
];

/** What is below the lines: time in which nobody looked, incidents, the period before, and the limit.
 * @param {any} chart @param {[string, Point[]][]} sites @param {Record<string, number>} places @param {Marks} marks */
function drawBehind(chart, sites, places, marks) {
  const { ctx, bbox } = chart;
  const ratio = uPlot.pxRatio;
  const [x, y] = [(/** @type {number} */ at) => chart.valToPos(at / 1000, "x", true), (/** @type {number} */ ms) => chart.valToPos(ms, "y", true)];
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  for (const [from, to] of shared(sites.map(([site]) => marks.blind[site] ?? []))) hatch(ctx, x(from), bbox.top, x(to) - x(from), bbox.height, ratio);
  ctx.fillStyle = colour("--down");
  for (const [from, to] of marks.incidents) {
    ctx.globalAlpha = 0.12;
    ctx.fillRect(x(from), bbox.top, Math.max(ratio, x(to) - x(from)), bbox.height);
    ctx.globalAlpha = 1;
    ctx.fillRect(x(from), bbox.top, Math.max(2 * ratio, x(to) - x(from)), 3 * ratio);
  }
  ctx.lineWidth = 1.2 * ratio;
  ctx.setLineDash([5 * ratio, 4 * ratio]);
  for (const [site] of sites) {
    const rows = marks.before[site] ?? [];
    const lasting = spans(rows);
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
function drawLoss(chart, sites, places, font, rem, marks) {
  const { ctx, bbox } = chart;
  const ratio = uPlot.pxRatio;
  const [lane, gap] = [LANE * rem * ratio, LANE_GAP * rem * ratio];
  ctx.save();
  ctx.font = font.replace(/^(\d+)px/, (_, size) => `${Math.round(Number(size) * ratio * 0.92)}px`);
  ctx.textBaseline = "middle";
  const shades = Object.fromEntries(SHADES.map((name) => [name, colour(name)]));
  sites.forEach(([site, points], place) => {
    const top = bbox.top - (sites.length - place) * (lane + gap) - 2 * ratio;
    ctx.fillStyle = colour("--lane");
    ctx.fillRect(bbox.left, top, bbox.width, lane);
    const lasting = spans(points);
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
    ctx.fillText(site.length > 10 ? `${site.slice(0, 9)}…` : site, bbox.left - 5 * ratio, top + lane / 2);
  });
  ctx.restore();
}

/** Over days the day, unless another time than midnight is meant; else the time. @param {any} chart @param {number[]} all seconds */
function times(chart, all) {
  const { min, max } = chart.scales.x;
  return all.map((at) => {
    const time = clock(at * 1000);
    if (max - min > 2 * 86_400) return time.startsWith("00:00") ? day(at * 1000) : `${day(at * 1000)} ${time.slice(0, 5)}`;
    return max - min > 1800 ? time.slice(0, 5) : time;
  });
}

/** @param {string} rgb like rgb(53, 195, 172) @param {number} alpha */
const faded = (rgb, alpha) => rgb.replace("rgb(", "rgba(").replace(")", `, ${alpha})`);
