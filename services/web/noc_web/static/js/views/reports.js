// @ts-check
// The uptime report: any period, any group, the worst first.

import { address } from "../api.js";
import { duration, exact, full, percent, uptime } from "../format.js";
import { useLoaded, useMedia, usePrinting, useStore } from "../hooks.js";
import { named, PRESETS } from "../period.js";
import { setQuery } from "../router.js";
import { STATES, word } from "../states.js";
import { groups } from "../tablerows.js";
import { html, useMemo, useRef } from "../ui.js";
import { Trouble } from "./bits.js";
import { CustomPeriod } from "./customperiod.js";
import { useSight } from "./virtuallist.js";

/** What counts as downtime, as the API calls it and in words. */
const PROFILES = /** @type {const} */ ([
  ["standard", "Down"],
  ["partial-is-down", "Down and Partial"],
  ["unreachable-is-down", "Down and Unreachable"],
  ["strict", "Down, Partial and Unreachable"],
]);

/** @param {{query: URLSearchParams}} given */
export default function Reports({ query }) {
  const rows = useStore((state) => state.rows);
  const paths = useMemo(() => groups(rows.values()), [rows.size]);
  const preset = PRESETS.find((one) => one.name === (query.get("period") ?? "7d")) ?? PRESETS[2];
  const custom = named(query);
  const group = query.get("group") ?? "";
  const [profile] = PROFILES.find(([name]) => name === query.get("profile")) ?? PROFILES[0];
  const period = useMemo(
    () => custom ?? preset.of(new Date()),
    [preset.name, query.get("from"), query.get("to")],
  );
  const asked = { from: Math.round(period.from), to: Math.round(period.to), group, profile };
  const { answer, error, busy } = useLoaded("/reports/uptime", asked);
  return html`
    <section class="panel report" aria-label="Uptime report">
      <div class="tools">
        <h1>Uptime report</h1>
        <div class="ranges" role="group" aria-label="Period">
          ${PRESETS.map(
            (one) => html`<button key=${one.name} aria-pressed=${!custom && one.name === preset.name} onClick=${() => setQuery({ period: one.name === "7d" ? null : one.name, from: null, to: null })}>${one.label}</button>`,
          )}
        </div>
        <label>
          Group
          <select value=${group} onChange=${(/** @type {any} */ event) => setQuery({ group: event.currentTarget.value })}>
            <option value="">All targets</option>
            ${[...new Set([...paths, ...(group ? [group] : [])])].map((path) => html`<option value=${path}>${path}</option>`)}
          </select>
        </label>
        <label>
          Counts as downtime
          <select value=${profile} data-testid="report-profile" onChange=${(/** @type {any} */ event) => setQuery({ profile: event.currentTarget.value === "standard" ? null : event.currentTarget.value })}>
            ${PROFILES.map(([name, words]) => html`<option value=${name}>${words}</option>`)}
          </select>
        </label>
        <span class="spring"></span>
        <${CustomPeriod} key=${`${preset.name} ${custom?.from} ${custom?.to}`} from=${period.from} to=${period.to} onChoose=${(/** @type {any} */ wanted) => setQuery({ from: String(wanted.from), to: String(wanted.to), period: null })} />
        <a class="button" href=${address("/reports/uptime", { ...asked, format: "csv" })} download data-testid="report-csv">CSV</a>
        <button onClick=${() => print()}>Print</button>
      </div>
      <${Trouble} error=${error} />
      ${answer
        ? html`
            <p class="report-period">
              <time title=${exact(answer.from)}>${full(answer.from)}</time> to <time title=${exact(answer.to)}>${full(answer.to)}</time>, ${answer.group || "all targets"}${busy ? ", loading…" : ""}
            </p>
            ${answer.rows.length ? html`<${Table} answer=${answer} />` : html`<p class="empty">${group ? `No target is in the group ${group}.` : "There is no target yet: add one on the overview."}</p>`}
          `
        : error
          ? null
          : html`<p class="empty">Calculating…</p>`}
    </section>
  `;
}

/** Up to so many rows are simply drawn; of more, only those in sight. */
const FEW = 150;
const BEYOND = 20;
const ROW_REM = 2.2;
const CARD_REM = 9.4;

/** @param {{answer: any}} given */
function Table({ answer }) {
  const states = STATES.filter((state) => answer.total.seconds[state] > 0);
  const printing = usePrinting();
  const narrow = useMedia("(max-width: 720px)");
  const body = useRef(/** @type {HTMLElement|null} */ (null));
  const sight = useSight(body, true, answer.rows.length);
  const isWindowed = answer.rows.length > FEW && !printing;
  const high = (narrow ? CARD_REM : ROW_REM) * parseFloat(getComputedStyle(document.documentElement).fontSize);
  const first = isWindowed ? Math.max(0, Math.floor(sight.top / high) - BEYOND) : 0;
  const last = isWindowed ? Math.min(answer.rows.length, Math.ceil((sight.top + sight.height) / high) + BEYOND) : answer.rows.length;
  const gap = (/** @type {number} */ count) => (count > 0 ? html`<tr class="gap" aria-hidden="true"><td colspan=${7 + states.length} style=${{ height: `${count * high}px` }}></td></tr>` : null);
  return html`
    <div class=${`scroll ${isWindowed ? "is-windowed" : ""}`} style=${{ "--row-height": `${high}px` }}>
      <table class="list as-cards report-table" data-testid="report-table" aria-rowcount=${answer.rows.length + 2}>
        <thead>
          <tr>
            <th>Target</th><th>Group</th><th class="is-number">Uptime</th><th class="is-number">Coverage</th><th class="is-number">Outages</th><th class="is-number">Downtime</th><th class="is-number">Longest</th>
            ${states.map((state) => html`<th class="is-number" key=${state}>${word(state)}</th>`)}
          </tr>
        </thead>
        <tbody ref=${body}>
          ${gap(first)}
          ${answer.rows.slice(first, last).map(
            (/** @type {any} */ row, /** @type {number} */ place) => html`
              <tr key=${row.target} data-target=${row.target} aria-rowindex=${first + place + 2}>
                <td class="what"><a href=${`/targets/${encodeURIComponent(row.target)}`} title=${row.name}>${row.name}</a></td>
                <td class="of" title=${row.group}>${row.group || "–"}</td>
                <${Figures} row=${row} states=${states} />
              </tr>
            `,
          )}
          ${gap(answer.rows.length - last)}
        </tbody>
        <tfoot>
          <tr><th scope="row">Total of ${answer.rows.length}</th><td class="of"></td><${Figures} row=${answer.total} states=${states} /></tr>
        </tfoot>
      </table>
    </div>
    <p class="help">
      Counted as downtime: ${downtime(answer.profile)}. Counted as uptime: ${ANSWERING.filter((one) => !downtime(answer.profile).includes(one)).join(", ")}. Other states count neither way; “–”:
      there is nothing to count. Coverage is how much of the period was measured.
    </p>
  `;
}

/** What is uptime unless it is counted as downtime. */
const ANSWERING = ["Up", "Degraded", "Partial"];

/** @param {string} profile */
const downtime = (profile) => PROFILES.find(([name]) => name === profile)?.[1] ?? profile;

/** Less than all never reads as all. @param {number} value */
const coverage = (value) => percent(value >= 99.5 && value < 100 ? 99 : value);

/** @param {{row: any, states: readonly string[]}} given */
const Figures = ({ row, states }) => html`
  <td data-label="Uptime" class=${`is-number uptime-cell ${row.uptime_pct !== null && row.uptime_pct < 99 ? "is-poor" : ""}`}>${uptime(row.uptime_pct)}</td>
  <td data-label="Coverage" class="is-number" title=${`${row.coverage_pct} %`}>${coverage(row.coverage_pct)}</td>
  <td data-label="Outages" class="is-number">${row.outages}</td>
  <td data-label="Downtime" class="is-number" title=${`${Math.round(row.downtime_s)} s`}>${row.downtime_s ? duration(row.downtime_s) : "–"}</td>
  <td data-label="Longest" class="is-number" title=${`${Math.round(row.longest_s)} s`}>${row.longest_s ? duration(row.longest_s) : "–"}</td>
  ${states.map((state) => html`<td data-label=${word(state)} class="is-number" key=${state} title=${`${Math.round(row.seconds[state])} s`}>${row.seconds[state] >= 0.5 ? duration(row.seconds[state]) : "–"}</td>`)}
`;
