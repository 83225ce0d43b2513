// @ts-check
// The chart of round-trip times and loss, with its readout; drag to zoom, double-click to zoom out.

import { draw, joined, LANE_REM, siteColour } from "../chart.js";
import { LOSS_CLASSES, MEDIAN, nearest, P95 } from "../chartseries.js";
import { full, ms, percent, exact } from "../format.js";
import { useMedia, useSize } from "../hooks.js";
import { onColours } from "../theme.js";
import { html, useEffect, useMemo, useRef, useState } from "../ui.js";

/** @typedef {import("../chartseries.js").Point} Point */

const FEW_SITES = 4;

/** @param {{sites: Record<string, Point[]>, from: number, to: number, fromZero: boolean, onZoom: (from: number, to: number) => void,
 *   onBack: () => void, onPlot: (place: {left: number, width: number}) => void, label: string}} given */
export function HistoryChart({ sites, from, to, fromZero, onZoom, onBack, onPlot, label }) {
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
  const key = `${size.width} ${height} ${colours} ${fromZero} ${shown.map(([site]) => site).join(" ")}`;
  const drawn = useRef("");
  const latest = useRef(shown);
  const span = useRef({ from, to });

  useEffect(() => {
    if (!size.width) return;
    latest.current = shown;
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
      fromZero,
      onPlot,
      onZoom: (start, end) => acts.current.onZoom(start, end),
      onBack: () => acts.current.onBack(),
      onCursor: setCursor,
    });
    drawn.current = key;
  }, [key, shown, from, to]);
  useEffect(() => () => chart.current?.destroy(), []);

  const toggle = (/** @type {string} */ site) => setHidden((before) => (before.includes(site) ? before.filter((one) => one !== site) : [...before, site]));
  return html`
    <figure class="history" aria-label=${label} data-testid="history-chart" data-points=${names.reduce((sum, site) => sum + sites[site].length, 0)}>
      <div class="plot" ref=${ref} style=${{ height: `${height}px` }}></div>
      <figcaption>
        <${Readout} sites=${sites} names=${names} hidden=${hidden} toggle=${toggle} places=${places} cursor=${cursor} colours=${colours} />
        <p class="loss-key">
          <span>Lanes: loss by site</span>
          <span><i class="loss-none"></i>none</span>
          ${[...LOSS_CLASSES].reverse().map((one) => html`<span key=${one.label}><i class=${one.colour.slice(2)}></i>${one.label}</span>`)}
          <span><i class="loss-unknown"></i>not measurable</span>
          <span>blank: no data</span>
          <span>Smoke: 5 to 95 and 25 to 75 % of the echoes; line: median</span>
          <span class="spring"></span>
          <span class="help">Drag to zoom, double-click to zoom out.</span>
        </p>
      </figcaption>
    </figure>
  `;
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
        </tr>
      </thead>
      <tbody>
        ${names.map((site) => {
          const points = sites[site];
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
            </tr>
          `;
        })}
      </tbody>
    </table>
  `;
}
