// @ts-check
// States over a period: a strip for all sites together and one for each, the sums, and the outages.

import { duration, exact, full, moment, percent, share, uptime } from "../format.js";
import { spent, word } from "../states.js";
import { fill, runs } from "../strip.js";
import { html } from "../ui.js";
import { Badge, Shape } from "./state.js";

const COLUMNS = 900;
/** The bars of a target's states: all sites together, then each. @param {any} found the API's answer @param {number} to where the chart ends
 * @returns {[string, any[]][]} */
export const strips = (found, to) =>
  [["all sites", found.overall], .../** @type {[string, any][]} */ (Object.entries(found.sites))].map(([name, intervals]) => [name, lasting(intervals, found.to, to)]);

/** @typedef {{at: string, site: string, text: string}} RouteChange */

/** Its cursor is that of the chart: it stands where `--cursor` says, a share of the width.
 * @param {{bars: [string, any[]][], changes: RouteChange[], from: number, to: number, isPlaced: boolean, onPoint: (clientX: number|null) => void}} given `bars`: as `strips`
 *   gives them; `changes`: of the route; the period of the chart above, and whether it is known where that has its plot; `onPoint`: where the mouse is */
export function Timeline({ bars, changes, from, to, isPlaced, onPoint }) {
  return html`
    <div class=${`strips ${isPlaced ? "" : "is-unseen"}`} onMouseMove=${(/** @type {MouseEvent} */ event) => onPoint(event.clientX)} onMouseLeave=${() => onPoint(null)}>
      ${bars.map(([name, intervals]) => html`<${Strip} key=${name} name=${name} intervals=${intervals} from=${from} to=${to} />`)}
      ${changes.length ? html`<${RouteStrip} changes=${changes} from=${from} to=${to} />` : null}
      <div class="strip-ends"><time title=${exact(from)}>${full(from)}</time><time title=${exact(to)}>${full(to)}</time></div>
    </div>
  `;
}

/** A live chart goes on until the next answer; so does the state that was the last.
 * @param {any[]} intervals @param {string} known until when the answer knows @param {number} to */
function lasting(intervals, known, to) {
  const last = intervals[intervals.length - 1];
  if (!last || last.end !== known || to <= Date.parse(known)) return intervals;
  return [...intervals.slice(0, -1), { ...last, end: new Date(to).toISOString() }];
}

/** @param {{name: string, intervals: any[], from: number, to: number}} given */
const Strip = ({ name, intervals, from, to }) => html`
  <div class="strip">
    <span class="strip-name">${name}</span>
    <svg viewBox=${`0 0 ${COLUMNS} 20`} preserveAspectRatio="none" role="img" aria-label=${`States of ${name}: ${summary(intervals)}`}>
      ${runs(intervals, from, to, COLUMNS).map(({ first, last, state, interval }) => {
        const high = 20 * fill(state);
        return html`
          <rect key=${first} class=${`state-${state}`} x=${first} width=${last - first + 1} y=${20 - high} height=${high}>
            <title>${word(state)} for ${duration(interval.seconds)}, ${moment(interval.start)} – ${moment(interval.end)}. ${interval.reason}</title>
          </rect>
        `;
      })}
    </svg>
  </div>
`;

/** When the route changed, and at which hop. @param {{changes: RouteChange[], from: number, to: number}} given */
const RouteStrip = ({ changes, from, to }) => html`
  <div class="strip" data-testid="route-changes">
    <span class="strip-name">route</span>
    <svg viewBox=${`0 0 ${COLUMNS} 20`} preserveAspectRatio="none" role="img" aria-label=${`Route changes: ${changes.map((one) => `${moment(one.at)}, ${one.text}`).join("; ")}`}>
      ${changes.map((one) => html`
        <rect key=${`${one.at} ${one.site}`} class="route-change" x=${((Date.parse(one.at) - from) / (to - from)) * COLUMNS - 2} width="4" y="0" height="20">
          <title>${moment(one.at)}: ${one.text}</title>
        </rect>
      `)}
    </svg>
  </div>
`;

/** @param {any[]} intervals */
function summary(intervals) {
  /** @type {Record<string, number>} */
  const sums = {};
  for (const one of intervals) sums[one.state] = (sums[one.state] ?? 0) + one.seconds;
  return spent(sums).map((state) => `${word(state)} ${duration(sums[state])}`).join(", ") || "no data";
}

/** @param {{found: any}} given */
export function Uptime({ found }) {
  const { pct, coverage_pct, seconds } = found.uptime;
  const total = Object.values(/** @type {Record<string, number>} */ (seconds)).reduce((sum, one) => sum + one, 0);
  const downtime = found.outages.reduce((/** @type {number} */ sum, /** @type {any} */ one) => sum + one.seconds, 0);
  return html`
    <dl class="uptime" data-testid="uptime">
      <div class="uptime-main"><dt>Uptime</dt><dd>${uptime(pct)}</dd></div>
      <div title="How much of the period was measured"><dt>Coverage</dt><dd title=${`${coverage_pct} %`}>${percent(coverage_pct)}</dd></div>
      <div><dt>Downtime</dt><dd>${duration(downtime)}</dd></div>
      <div><dt>Outages</dt><dd>${found.outages.length}</dd></div>
      ${spent(seconds).map(
        (state) => html`
          <div key=${state} class=${`state-${state}`}>
            <dt><${Shape} state=${state} />${word(state)}</dt>
            <dd title=${`${Math.round(seconds[state])} s`}>${duration(seconds[state])}<small>${total ? share(seconds[state], total, 2) : ""}</small></dd>
          </div>
        `,
      )}
    </dl>
  `;
}

/** What touches an end of the period may have started before it, or be ongoing. @param {{found: any}} given the API's answer */
export function Outages({ found }) {
  const { outages } = found;
  if (!outages.length) return html`<p class="empty" data-testid="outages">No outage in this period.</p>`;
  return html`
    <div class="scroll">
      <table class="list as-cards" data-testid="outages">
        <thead>
          <tr><th>State</th><th>From</th><th>To</th><th class="is-number">Lasted</th><th>Why</th></tr>
        </thead>
        <tbody>
          ${[...outages].reverse().map(
            (one) => html`
              <tr key=${one.start}>
                <td class="what"><${Badge} state=${one.state} /></td>
                <td data-label="From">${Date.parse(one.start) <= Date.parse(found.from) ? "before " : ""}<time title=${exact(one.start)}>${full(one.start)}</time></td>
                <td data-label="To">${Date.parse(one.end) >= Date.parse(found.to) ? "ongoing" : html`<time title=${exact(one.end)}>${full(one.end)}</time>`}</td>
                <td data-label="Lasted" class="is-number" title=${`${Math.round(one.seconds)} s`}>${duration(one.seconds)}</td>
                <td class="cause">${one.reason}</td>
              </tr>
            `,
          )}
        </tbody>
      </table>
    </div>
  `;
}
