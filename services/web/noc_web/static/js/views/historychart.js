// @ts-check
// The chart of round-trip times, jitter and loss, with its readout; moved along and scaled by mouse, wheel, fingers and keys.

import { draw, joined } from "../chart.js";
import { lanesRem } from "../chartlanes.js";
import { picture, save } from "../chartpicture.js";
import { asCsv, jitter, MEDIAN, nearest, P95, totals } from "../chartseries.js";
import { full, ms, percent, exact } from "../format.js";
import { useMedia, useSize } from "../hooks.js";
import { moved } from "../period.js";
import { onColours, siteColour } from "../theme.js";
import { html, useEffect, useMemo, useRef, useState } from "../ui.js";
import { store } from "../wiring.js";
import { LossClasses } from "./bits.js";

/** @typedef {import("../chartseries.js").Point} Point */

const FEW_SITES = 4;

/** `axis`: of round-trip times; `strips`: the bars of states below it, for its picture; `onZoom` is told what was selected, `onMove` where it was moved to;
 * `onCursor` of the share of the plot's width that the cursor is at; `pointer` gets what moves the cursor to a place in the window.
 * @param {{sites: Record<string, Point[]>, from: number, to: number, axis: "auto"|"zero"|"log", marks: import("../chart.js").Marks, name: string, title: string, strips: [string, any[]][],
 *   onZoom: (from: number, to: number) => void, onMove: (from: number, to: number) => void, onBack: () => void, onPlot: (place: {left: number, width: number}) => void,
 *   onCursor: (share: number|null) => void, pointer: {current: (clientX: number|null) => void}, label: string}} given */
export function HistoryChart({ sites, from, to, axis, marks, name, title, strips, onZoom, onMove, onBack, onPlot, onCursor, pointer, label }) {
  const [ref, size] = useSize();
  const chart = useRef(/** @type {any} */ (null));
  const narrow = useMedia("(max-width: 720px)");
  const [hidden, setHidden] = useState(/** @type {readonly string[]} */ ([]));
  const [cursor, setCursor] = useState(/** @type {number|null} */ (null));
  const [colours, setColours] = useState(0);
  useEffect(() => onColours(() => setColours((count) => count + 1)), []);
  const names = Object.keys(sites);
  const places = useMemo(() => Object.fromEntries(names.map((site, place) => [site, place])), [names.join(" ")]);
  const shown = useMemo(() => names.filter((site) => !hidden.includes(site)).map((site) => /** @type {[string, Point[]]} */ ([site, sites[site]])), [sites, hidden]);
  const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
  // The lanes of many sites must leave the lines their room.
  const lanes = (lanesRem(Math.max(FEW_SITES, shown.length)) - lanesRem(FEW_SITES)) * rem;
  const height = Math.round(lanes + (narrow ? 310 : Math.max(24 * rem, Math.min(32 * rem, size.width * 0.28))));
  const acts = useRef({ onZoom, onMove, onBack, onCursor });
  acts.current = { onZoom, onMove, onBack, onCursor };
  const key = `${size.width} ${height} ${colours} ${axis} ${shown.map(([site]) => site).join(" ")}`;
  const drawn = useRef("");
  const latest = useRef(shown);
  const span = useRef({ from, to });
  const besides = useRef(marks);

  useEffect(() => {
    if (!size.width) return;
    latest.current = shown;
    besides.current = marks;
    // While somebody moves it, it stays where they have it.
    if (!chart.current?.isHeld()) Object.assign(span.current, { from, to });
    if (chart.current && drawn.current === key) {
      chart.current.setData(joined(shown), true);
      return;
    }
    chart.current?.destroy();
    chart.current = draw(ref.current, {
      sites: () => latest.current,
      places,
      span: span.current,
      now: () => store.nowMs(),
      width: size.width,
      height,
      axis,
      marks: () => besides.current,
      onPlot,
      onZoom: (start, end) => acts.current.onZoom(start, end),
      onMove: (start, end) => acts.current.onMove(start, end),
      onBack: () => acts.current.onBack(),
      onCursor: (at) => {
        setCursor(at);
        acts.current.onCursor(at === null ? null : (at - span.current.from) / (span.current.to - span.current.from));
      },
    });
    pointer.current = (clientX) => {
      const left = clientX === null ? -10 : clientX - chart.current.over.getBoundingClientRect().left;
      chart.current.setCursor({ left, top: left < 0 ? -10 : 1 });
    };
    drawn.current = key;
  }, [key, shown, from, to, marks]);
  useEffect(() => () => chart.current?.destroy(), []);

  const toggle = (/** @type {string} */ site) => setHidden((before) => (before.includes(site) ? before.filter((one) => one !== site) : [...before, site]));
  const steer = (/** @type {KeyboardEvent} */ event) => {
    const period = event.target === event.currentTarget ? moved(event.key, span.current, store.nowMs()) : null;
    if (!period) return;
    event.preventDefault();
    onMove(period.from, period.to);
  };
  const figures = useMemo(() => names.map((site) => /** @type {[string, number, any]} */ ([site, places[site], totals(sites[site])])), [sites, places]);
  return html`
    <figure class="history" aria-label=${label} tabindex="0" onKeyDown=${steer} data-testid="history-chart" data-points=${names.reduce((sum, site) => sum + sites[site].length, 0)}>
      <div class="plot" ref=${ref} style=${{ height: `${height}px` }}></div>
      <figcaption>
        <${Readout} sites=${sites} figures=${figures} hidden=${hidden} toggle=${toggle} cursor=${cursor} colours=${colours} />
        <p class="loss-key">
          <span>Lanes: loss by site; jitter, the 95th percentile above the median</span>
          <${LossClasses} none="none" />
          <span>hatched: not checked</span>
          <span>blank: no data</span>
          <span><i class="of-incident"></i>incident</span>
          <span><i class="of-maintenance"></i>maintenance</span>
          <span><i class="of-route"></i>route change</span>
          <span>Smoke: 5 to 95 and 25 to 75 % of the echoes; line: median</span>
          <span class="spring"></span>
          <span class="help with-mouse">Drag selects, double-click goes back. Shift and drag, or the axis, moves along; Ctrl and wheel scales. Keys: ← → + −.</span>
          <span class="help with-fingers">One finger moves along, two scale.</span>
          <button class="quiet" data-testid="chart-png" onClick=${() => save(`${name}.png`, picture(chart.current, { title, span: { ...span.current }, strips, figures }))}>PNG</button>
          <button class="quiet" data-testid="chart-csv" onClick=${() => save(`${name}.csv`, new Blob([asCsv(sites)], { type: "text/csv" }))}>CSV</button>
        </p>
      </figcaption>
    </figure>
  `;
}

/** `figures`: of the period, with the place of each line. @param {{sites: Record<string, Point[]>, figures: [string, number, ReturnType<typeof totals>][], hidden: readonly string[], toggle: (site: string) => void, cursor: number|null, colours: number}} given */
function Readout({ sites, figures, hidden, toggle, cursor }) {
  return html`
    <table class="readout">
      <thead>
        <tr>
          <th title=${exact(cursor)} scope="col">${cursor === null ? "latest" : full(cursor)}</th>
          <th>median</th>
          <th title="95 of 100 echoes were answered as fast or faster">p95</th>
          <th title="by how much the 95th percentile exceeds the median">jitter</th>
          <th>max</th>
          <th>loss</th>
          <th class="of-period" title="of all echoes of the period">period: min</th>
          <th class="of-period">mean</th>
          <th class="of-period">max</th>
          <th class="of-period">loss</th>
        </tr>
      </thead>
      <tbody>
        ${figures.map(([site, place, all]) => {
          const points = sites[site];
          const point = cursor === null ? points[points.length - 1] : nearest(points, cursor);
          return html`
            <tr key=${site} class=${hidden.includes(site) ? "is-hidden" : ""}>
              <th>
                <button class="quiet" aria-pressed=${!hidden.includes(site)} onClick=${() => toggle(site)} title="Show or hide this line">
                  <i class="swatch" style=${{ background: siteColour(place) }}></i>${site}
                </button>
              </th>
              <td>${ms(point?.[MEDIAN])}</td>
              <td>${ms(point?.[P95])}</td>
              <td>${ms(point ? jitter(point) : null)}</td>
              <td>${ms(point?.[3])}</td>
              <td class=${point?.[4] ? "is-lossy" : ""}>${point ? (point[4] === null ? "not measurable" : percent(point[4])) : "no cycle"}</td>
              <td class="of-period">${ms(all.min)}</td>
              <td class="of-period">${ms(all.mean)}</td>
              <td class="of-period">${ms(all.max)}</td>
              <td class=${`of-period ${all.loss ? "is-lossy" : ""}`}>${percent(all.loss)}</td>
            </tr>
          `;
        })}
      </tbody>
    </table>
  `;
}
