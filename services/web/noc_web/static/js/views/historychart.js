// @ts-check
// The chart of round-trip times and loss, with its readout; drag to zoom, double-click to zoom out.

import { draw, joined, LANE_REM, siteColour } from "../chart.js";
import { asCsv, LOSS_CLASSES, MEDIAN, nearest, P95, totals } from "../chartseries.js";
import { full, ms, percent, exact } from "../format.js";
import { useMedia, useSize } from "../hooks.js";
import { moved } from "../period.js";
import { colour, onColours } from "../theme.js";
import { html, useEffect, useMemo, useRef, useState } from "../ui.js";
import { store } from "../wiring.js";

/** @typedef {import("../chartseries.js").Point} Point */

const FEW_SITES = 4;

/** `axis`: of round-trip times. @param {{sites: Record<string, Point[]>, from: number, to: number, axis: "auto"|"zero"|"log", marks: import("../chart.js").Marks, name: string, onZoom: (from: number, to: number) => void,
 *   onBack: () => void, onPlot: (place: {left: number, width: number}) => void, label: string}} given */
export function HistoryChart({ sites, from, to, axis, marks, name, onZoom, onBack, onPlot, label }) {
  const [ref, size] = useSize();
  const chart = useRef(/** @type {any} */ (null));
  const narrow = useMedia("(max-width: 720px)");
  const [hidden, setHidden] = useState(/** @type {readonly string[]} */ ([]));
  const [cursor, setCursor] = useState(/** @type {number|null} */ (null));
  const [colours, setColours] = useState(0);
  useEffect(() => onColours(() => setColours((count) => count + 1)), []);
  const names = Object.keys(sites).sort();
  const places = useMemo(() => Object.fromEntries(names.map((site, place) => [site, place])), [names.join(" ")]);
  const shown = useMemo(() => names.filter((site) => !hidden.includes(site)).map((site) => /** @type {[string, Point[]]} */ ([site, sites[site]])), [sites, hidden]);
  const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
  // The lanes of many sites must leave the lines their room.
  const lanes = Math.max(0, shown.length - FEW_SITES) * LANE_REM * rem;
  const height = Math.round(lanes + (narrow ? 280 : Math.max(22 * rem, Math.min(30 * rem, size.width * 0.28))));
  const acts = useRef({ onZoom, onBack });
  acts.current = { onZoom, onBack };
  const key = `${size.width} ${height} ${colours} ${axis} ${shown.map(([site]) => site).join(" ")}`;
  const drawn = useRef("");
  const latest = useRef(shown);
  const span = useRef({ from, to });
  const besides = useRef(marks);

  useEffect(() => {
    if (!size.width) return;
    latest.current = shown;
    besides.current = marks;
    Object.assign(span.current, { from, to });
    if (chart.current && drawn.current === key) {
      chart.current.setData(joined(shown), true);
      return;
    }
    chart.current?.destroy();
    chart.current = draw(ref.current, {
      sites: () => latest.current,
      places,
      span: span.current,
      width: size.width,
      height,
      axis,
      marks: () => besides.current,
      onPlot,
      onZoom: (start, end) => acts.current.onZoom(start, end),
      onBack: () => acts.current.onBack(),
      onCursor: setCursor,
    });
    drawn.current = key;
  }, [key, shown, from, to, marks]);
  useEffect(() => () => chart.current?.destroy(), []);

  const toggle = (/** @type {string} */ site) => setHidden((before) => (before.includes(site) ? before.filter((one) => one !== site) : [...before, site]));
  const steer = (/** @type {KeyboardEvent} */ event) => {
    const period = event.target === event.currentTarget ? moved(event.key, span.current, store.nowMs()) : null;
    if (!period) return;
    event.preventDefault();
    onZoom(period.from, period.to);
  };
  return html`
    <figure class="history" aria-label=${label} tabindex="0" onKeyDown=${steer} data-testid="history-chart" data-points=${names.reduce((sum, site) => sum + sites[site].length, 0)}>
      <div class="plot" ref=${ref} style=${{ height: `${height}px` }}></div>
      <figcaption>
        <${Readout} sites=${sites} names=${names} hidden=${hidden} toggle=${toggle} places=${places} cursor=${cursor} colours=${colours} />
        <p class="loss-key">
          <span>Lanes: loss by site</span>
          <span><i class="loss-none"></i>none</span>
          ${[...LOSS_CLASSES].reverse().map((one) => html`<span key=${one.label}><i class=${one.colour.slice(2)}></i>${one.label}</span>`)}
          <span><i class="loss-unknown"></i>not measurable</span>
          <span>hatched: not checked</span>
          <span>blank: no data</span>
          <span>Smoke: 5 to 95 and 25 to 75 % of the echoes; line: median</span>
          <span class="spring"></span>
          <span class="help">Drag to zoom, double-click to zoom out. Keys: ← → along, + − in and out.</span>
          <button class="quiet" data-testid="chart-png" onClick=${() => save(`${name}.png`, picture(chart.current))}>PNG</button>
          <button class="quiet" data-testid="chart-csv" onClick=${() => save(`${name}.csv`, new Blob([asCsv(sites)], { type: "text/csv" }))}>CSV</button>
        </p>
      </figcaption>
    </figure>
  `;
}

/** The whole chart on the page's ground. @param {any} chart @returns {Promise<Blob|null>} */
function picture(chart) {
  const own = /** @type {HTMLCanvasElement} */ (chart.ctx.canvas);
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [own.width, own.height];
  const ctx = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  ctx.fillStyle = colour("--panel");
  ctx.fillRect(0, 0, canvas.width, canvas.height);
  ctx.drawImage(own, 0, 0);
  return new Promise((done) => canvas.toBlob(done, "image/png"));
}

/** @param {string} name @param {Blob|null|Promise<Blob|null>} content */
async function save(name, content) {
  const blob = await content;
  if (!blob) return;
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
}

/** @param {{sites: Record<string, Point[]>, names: string[], hidden: readonly string[], toggle: (site: string) => void, places: Record<string, number>, cursor: number|null, colours: number}} given */
function Readout({ sites, names, hidden, toggle, places, cursor }) {
  return html`
    <table class="readout">
      <thead>
        <tr>
          <th title=${exact(cursor)} scope="col">${cursor === null ? "latest" : full(cursor)}</th>
          <th>median</th>
          <th title="95 of 100 echoes were answered as fast or faster">p95</th>
          <th>max</th>
          <th>loss</th>
          <th class="of-period" title="of all echoes of the period">period: min</th>
          <th class="of-period">mean</th>
          <th class="of-period">max</th>
          <th class="of-period">loss</th>
        </tr>
      </thead>
      <tbody>
        ${names.map((site) => {
          const points = sites[site];
          const all = totals(points);
          const point = cursor === null ? points[points.length - 1] : nearest(points, cursor);
          return html`
            <tr key=${site} class=${hidden.includes(site) ? "is-hidden" : ""}>
              <th>
                <button class="quiet" aria-pressed=${!hidden.includes(site)} onClick=${() => toggle(site)} title="Show or hide this site">
                  <i class="swatch" style=${{ background: siteColour(places[site]) }}></i>${site}
                </button>
              </th>
              <td>${ms(point?.[MEDIAN])}</td>
              <td>${ms(point?.[P95])}</td>
              <td>${ms(point?.[3])}</td>
              <td class=${point?.[4] ? "is-lossy" : ""}>${point ? (point[4] === null ? "not measurable" : percent(point[4])) : "no cycle"}</td>
              <td class="of-period">${ms(all.min)}</td>
              <td class="of-period">${ms(all.mean)}</td>
              <td class="of-period">${ms(all.max)}</td>
              <td class=${`of-period ${all.loss ? "is-lossy" : ""}`}>${all.loss !== null && all.loss > 0 && all.loss < 0.1 ? "< 0.1 %" : percent(all.loss)}</td>
            </tr>
          `;
        })}
      </tbody>
    </table>
  `;
}
