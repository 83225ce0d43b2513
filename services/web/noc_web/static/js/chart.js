// @ts-check
// Draws the history on a canvas with uPlot: for each site the smoke of its percentiles, the median, and its loss in a lane above.

import vendored from "../vendor/uPlot-1.6.32.js";
import { drawBehind, drawJitter, drawLoss, lanesRem } from "./chartlanes.js";
import { columns } from "./chartseries.js";
import { clock, day } from "./format.js";
import { steered } from "./gestures.js";
import { colour, siteColour } from "./theme.js";

/** @type {any} */
const uPlot = vendored;
const NULLS_EXPAND = 2;
/** A site has one for each percentile. */
const SERIES = 5;
/** @typedef {import("./chartseries.js").Point} Point */

/** @typedef {import("./chartlanes.js").Marks} Marks */

/** How wide labels of so many characters are; one size for those that are usual, so that the plot stays where it is. @param {number} characters */
const axisRem = (characters) => (characters <= 7 ? 4 : 1 + 0.48 * characters);

/** `sites`, `marks` and `span` are looked at anew whenever the data is set. `onZoom` is told what was selected, `onMove` where the chart was moved to.
 * @param {HTMLElement} element
 * @param {{sites: () => [string, Point[]][], places: Record<string, number>, span: {from: number, to: number}, now: () => number, width: number, height: number,
 *   axis: "auto"|"zero"|"log", marks: () => Marks, onPlot: (place: {left: number, width: number}) => void,
 *   onZoom: (from: number, to: number) => void, onMove: (from: number, to: number) => void, onBack: () => void, onCursor: (at: number|null) => void}} wanted
 */
export function draw(element, { sites: latest, places, span, now, width, height, axis: kind, marks, onPlot, onZoom, onMove, onBack, onCursor }) {
  const sites = latest();
  const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
  const font = `${Math.round(rem * 0.78)}px system-ui, sans-serif`;
  const lanes = Math.round(lanesRem(sites.length) * rem) + 6;
  const axis = { stroke: colour("--text-2"), font, grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line"), width: 1 } };
  /** @type {ReturnType<typeof steered>} */
  let steering;
  const chart = new uPlot(
    {
      width,
      height,
      padding: [lanes, 12, 0, 4],
      legend: { show: false },
      scales: { x: { time: true, range: () => [span.from / 1000, span.to / 1000] }, y: { distr: kind === "log" ? 3 : 1, range: (/** @type {any} */ _, /** @type {number|null} */ low, /** @type {number|null} */ high) => rangeOf(low, high, kind) } },
      axes: [
        { ...axis, values: times, space: rem * 6, size: rem * 2.6 },
        // As wide as its longest label: of one that is cut, the first digits are missing.
        { ...axis, size: (/** @type {any} */ _, /** @type {string[]|null} */ all) => rem * axisRem(Math.max(0, ...(all ?? []).map((one) => one.length))), values: (/** @type {any} */ _, /** @type {(number|null)[]} */ all) => all.map((one) => (one === null ? "" : `${Number(one.toPrecision(6))} ms`)) },
      ],
      cursor: {
        drag: { x: true, y: false, setScale: false, dist: 6 },
        bind: {
          mousedown: (/** @type {any} */ _, /** @type {any} */ __, /** @type {(event: MouseEvent) => void} */ select) => (/** @type {MouseEvent} */ event) => {
            // A finger that taps is told of as a mouse later; it selects nothing.
            if (!steering.startsPan(event)) select(event);
            return null;
          },
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
        draw: [
          (/** @type {any} */ shown) => drawLoss(shown, latest(), places, font, rem, marks()),
          (/** @type {any} */ shown) => drawJitter(shown, latest(), places, font, rem),
        ],
        destroy: [() => steering.end()],
        setCursor: [(/** @type {any} */ shown) => onCursor(shown.cursor.left >= 0 ? shown.posToVal(shown.cursor.left, "x") * 1000 : null)],
        setSelect: [
          (/** @type {any} */ shown) => {
            const { left, width: wide } = shown.select;
            if (wide > 5) onZoom(shown.posToVal(left, "x") * 1000, shown.posToVal(left + wide, "x") * 1000);
            shown.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
          },
        ],
      },
    },
    joined(sites),
    element,
  );
  const show = (/** @type {{from: number, to: number}} */ period) => {
    Object.assign(span, period);
    chart.setScale("x", { min: period.from / 1000, max: period.to / 1000 });
  };
  const axisOfTime = /** @type {HTMLElement|null} */ (chart.root.querySelector(".u-axis"));
  steering = steered({ over: chart.over, axis: axisOfTime, period: () => ({ ...span }), now, show, done: ({ from, to }) => onMove(from, to) });
  chart.isHeld = steering.isHeld;
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
