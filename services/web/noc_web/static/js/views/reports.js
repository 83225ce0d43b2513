// @ts-check
// The uptime report: any period, any group, the worst first.

import { address } from "../api.js";
import { duration, full, uptime, exact } from "../format.js";
import { useLoaded, useStore } from "../hooks.js";
import { named, PRESETS } from "../period.js";
import { setQuery } from "../router.js";
import { STATES, word } from "../states.js";
import { groups } from "../tablerows.js";
import { html, useMemo } from "../ui.js";
import { Trouble } from "./bits.js";
import { CustomPeriod } from "./customperiod.js";

/** @param {{query: URLSearchParams}} given */
export default function Reports({ query }) {
  const rows = useStore((state) => state.rows);
  const paths = useMemo(() => groups(rows.values()), [rows.size]);
  const preset = PRESETS.find((one) => one.name === (query.get("period") ?? "7d")) ?? PRESETS[2];
  const custom = named(query);
  const group = query.get("group") ?? "";
  const period = useMemo(
    () => custom ?? preset.of(new Date()),
    [preset.name, query.get("from"), query.get("to")],
  );
  const asked = { from: Math.round(period.from), to: Math.round(period.to), group };
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

/** @param {{answer: any}} given */
function Table({ answer }) {
  const states = STATES.filter((state) => answer.total.seconds[state] > 0);
  return html`
    <div class="scroll">
      <table class="list report-table" data-testid="report-table">
        <thead>
          <tr>
            <th>Target</th><th>Group</th><th class="is-number">Uptime</th><th class="is-number">Outages</th><th class="is-number">Downtime</th><th class="is-number">Longest</th>
            ${states.map((state) => html`<th class="is-number" key=${state}>${word(state)}</th>`)}
          </tr>
        </thead>
        <tbody>
          ${answer.rows.map(
            (/** @type {any} */ row) => html`
              <tr key=${row.target} data-target=${row.target}>
                <td><a href=${`/targets/${encodeURIComponent(row.target)}`}>${row.name}</a></td>
                <td>${row.group || "–"}</td>
                <${Figures} row=${row} states=${states} />
              </tr>
            `,
          )}
        </tbody>
        <tfoot>
          <tr><th>Total of ${answer.rows.length}</th><td></td><${Figures} row=${answer.total} states=${states} /></tr>
        </tfoot>
      </table>
    </div>
    <p class="help">Uptime is the share of the measured time in which it answered; time that nobody could see, maintenance and pauses are left out. “–”: nothing was measured.</p>
  `;
}

/** @param {{row: any, states: readonly string[]}} given */
const Figures = ({ row, states }) => html`
  <td class=${`is-number uptime-cell ${row.uptime_pct !== null && row.uptime_pct < 99 ? "is-poor" : ""}`}>${uptime(row.uptime_pct)}</td>
  <td class="is-number">${row.outages}</td>
  <td class="is-number" title=${`${Math.round(row.downtime_s)} s`}>${row.downtime_s ? duration(row.downtime_s) : "–"}</td>
  <td class="is-number" title=${`${Math.round(row.longest_s)} s`}>${row.longest_s ? duration(row.longest_s) : "–"}</td>
  ${states.map((state) => html`<td class="is-number" key=${state} title=${`${Math.round(row.seconds[state])} s`}>${row.seconds[state] ? duration(row.seconds[state]) : "–"}</td>`)}
`;
