// @ts-check
// Draws the history on a canvas with uPlot: for each site the smoke of its percentiles, the median, and its loss in a lane above.

import vendored from "../vendor/uPlot-1.6.32.js";
import { columns, LOSS_CLASSES, lossClass, spans } from "./chartseries.js";
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
/** A site has one for each percentile. */
const SERIES = 5;
const SHADES = ["--loss-none", "--loss-unknown", ...LOSS_CLASSES.map((one) => one.colour)];

/** @typedef {import("./chartseries.js").Point} Point */

/** @param {number} place */
export const siteColour = (place) => colour(`--site-${(place % 6) + 1}`);

/** `sites` and `span` are looked at anew whenever the data is set.
 * @param {HTMLElement} element
 * @param {{sites: () => [string, Point[]][], places: Record<string, number>, span: {from: number, to: number}, width: number, height: number,
 *   fromZero: boolean, onPlot: (place: {left: number, width: number}) => void,
 *   onZoom: (from: number, to: number) => void, onBack: () => void, onCursor: (at: number|null) => void}} wanted
 */
export function draw(element, { sites: latest, places, span, width, height, fromZero, onPlot, onZoom, onBack, onCursor }) {
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
      scales: { x: { time: true, range: () => [span.from / 1000, span.to / 1000] }, y: { range: (/** @type {any} */ _, /** @type {number|null} */ low, /** @type {number|null} */ high) => rangeOf(low, high, fromZero) } },
      axes: [
        { ...axis, values: times, space: rem * 6, size: rem * 2.6 },
        { ...axis, size: rem * 4, values: (/** @type {any} */ _, /** @type {number[]} */ all) => all.map((one) => `${Number(one.toPrecision(6))} ms`) },
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
        draw: [(/** @type {any} */ shown) => drawLoss(shown, latest(), places, font, rem)],
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

/** The axis of round-trip times: what is there with a little air, or from 0. @param {number|null} low @param {number|null} high @param {boolean} fromZero
 * @returns {[number, number]} */
export function rangeOf(low, high, fromZero) {
  if (low === null || high === null) return [0, 1];
  if (fromZero) return [0, (high || 1) * (1 + AIR)];
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

/** Loss by site in lanes above the plot: the more is lost the higher the bar; grey is silence, hatched what proves nothing.
 * @param {any} chart @param {[string, Point[]][]} sites @param {Record<string, number>} places @param {string} font @param {number} rem */
function drawLoss(chart, sites, places, font, rem) {
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
    points.forEach(([at, , , , loss, cycles, invalid], number) => {
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
      if (loss >= 100) {
        // A total outage has no line: a bar through the plot shows that it is not nothing.
        ctx.restore();
        ctx.save();
        // The bars of all sites lie on each other.
        ctx.globalAlpha = Math.min(0.1, 0.4 / sites.length);
        ctx.fillStyle = shades["--loss-all"];
        ctx.fillRect(Math.max(bbox.left, left), bbox.top, Math.max(0, Math.min(width, bbox.left + bbox.width - left)), bbox.height);
        ctx.restore();
        ctx.save();
        ctx.beginPath();
        ctx.rect(bbox.left, top, bbox.width, lane);
        ctx.clip();
      }
    });
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
