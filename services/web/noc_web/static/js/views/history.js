// @ts-check
// Thousands of targets at once, from what their cycles are summed up to: day by day, the worst, groups, and what is unusual now.

import { counted, exact, full, ms, percent } from "../format.js";
import { useLoaded, useTargets } from "../hooks.js";
import { DAY_MS, RANGES } from "../period.js";
import { setQuery } from "../router.js";
import { changeOf, dayTitle, FIGURES, mark } from "../summaries.js";
import { groups } from "../tablerows.js";
import { html, useMemo } from "../ui.js";
import { store } from "../wiring.js";
import { LossClasses, Pager, Trouble, withChosen } from "./bits.js";

const ROWS = 50;
const DAYS = 90;
const PERIODS = RANGES.filter((one) => ["24h", "7d", "30d", "90d"].includes(one.name));

/** What the page has, by the name in its address. */
const VIEWS = /** @type {const} */ ([
  ["days", "90 days"],
  ["worst", "Worst"],
  ["groups", "Groups"],
  ["unusual", "Unusual"],
]);

/** @param {{query: URLSearchParams}} given */
export default function HistoryPage({ query }) {
  const [view] = VIEWS.find(([name]) => name === query.get("view")) ?? VIEWS[0];
  const paths = useTargets((rows) => groups(rows.values()));
  const group = query.get("group") ?? "";
  const View = { days: Days, worst: Worst, groups: Groups, unusual: Unusual }[view];
  return html`
    <section class="panel summaries" aria-label="History of all targets">
      <div class="tools">
        <h1>History</h1>
        <div class="ranges" role="group" aria-label="View">
          ${VIEWS.map(([name, words]) => html`<button key=${name} aria-pressed=${name === view} data-view=${name} onClick=${() => setQuery({ view: name === "days" ? null : name, offset: null })}>${words}</button>`)}
        </div>
        <label>
          Group
          <select value=${group} onChange=${(/** @type {any} */ event) => setQuery({ group: event.currentTarget.value, offset: null })}>
            <option value="">All targets</option>
            ${withChosen(paths, group).map((path) => html`<option value=${path}>${path}</option>`)}
          </select>
        </label>
        <${View} query=${query} group=${group} />
      </div>
    </section>
  `;
}

/** A choice of a few words. @param {{label: string, name: string, value: string, choices: readonly (readonly [string, string])[]}} given `name`: in the address */
const Choice = ({ label, name, value, choices }) => html`
  <label>
    ${label}
    <select value=${value} data-testid=${`choose-${name}`} onChange=${(/** @type {any} */ event) => setQuery({ [name]: event.currentTarget.value === choices[0][0] ? null : event.currentTarget.value, offset: null })}>
      ${choices.map(([one, words]) => html`<option value=${one}>${words}</option>`)}
    </select>
  </label>
`;

/** @param {URLSearchParams} query @param {string} name @param {readonly (readonly [string, string])[]} choices */
const chosen = (query, name, choices) => (choices.find(([one]) => one === query.get(name)) ?? choices[0])[0];

/** What was asked for, below the tools. @param {{found: {answer: any, error: any}, note: string, period?: (answer: any) => any, children: (answer: any) => any}} given */
const Below = ({ found, note, period = hours, children }) => html`
  <div class="below">
    <${Trouble} error=${found.error} />
    ${found.answer
      ? html`<p class="report-period">${period(found.answer)}, ${note}</p>
          ${found.answer.rows.length ? children(found.answer) : html`<p class="empty">Nothing is summed up yet for this choice: a cycle counts here within a quarter of an hour after its hour is over.</p>`}`
      : found.error
        ? null
        : html`<p class="empty">Loading…</p>`}
  </div>
`;

/** @param {{from: string, to: string}} answer */
const hours = ({ from, to }) => html`<time title=${exact(from)}>${full(from)}</time> to <time title=${exact(to)}>${full(to)}</time>`;

/** @param {{from: string, to: string}} answer */
const utcDays = ({ from, to }) => `${from.slice(0, 10)} to ${new Date(Date.parse(to) - 1).toISOString().slice(0, 10)}`;

const SORTS = /** @type {const} */ ([
  ["name", "by name"],
  ["loss", "worst first"],
]);

/** @param {{query: URLSearchParams, group: string}} given */
function Days({ query, group }) {
  const sort = chosen(query, "sort", SORTS);
  const offset = Math.max(0, Math.floor(Number(query.get("offset") ?? 0)) || 0);
  const found = useLoaded("/history/days", { group, days: DAYS, sort, offset, limit: ROWS });
  return html`
    <${Choice} label="Order" name="sort" value=${sort} choices=${SORTS} />
    <${Below} found=${found} note="days of UTC" period=${utcDays}>
      ${(/** @type {any} */ answer) => html`
        <p class="loss-key">
          <${LossClasses} none="no loss" /><span>blank: no data</span>
        </p>
        <ul class="day-strips" data-testid="day-strips">
          ${answer.rows.map((/** @type {any} */ row) => html`<${DayStrip} key=${row.target} row=${row} from=${Date.parse(answer.from)} />`)}
        </ul>
        <${Pager} answer=${answer} size=${ROWS} />
      `}
    <//>
  `;
}

const HIGH = 20;

/** @param {{row: any, from: number}} given */
function DayStrip({ row, from }) {
  const measured = row.days.filter((/** @type {any} */ day) => day?.[0] > 0).length;
  return html`
    <li data-target=${row.target}>
      <a href=${`/targets/${encodeURIComponent(row.target)}?range=90d`}>${row.name}</a>
      <small>${row.group || "–"}</small>
      <svg viewBox=${`0 0 ${row.days.length} ${HIGH}`} preserveAspectRatio="none" role="img" aria-label=${`${row.name}: loss on ${counted(measured, "day")} of ${row.days.length}`}>
        ${row.days.map((/** @type {any} */ day, /** @type {number} */ place) => {
          const { shade, share } = mark(day);
          return shade ? html`<rect key=${place} class=${shade} x=${place + 0.06} width="0.88" y=${HIGH * (1 - share)} height=${HIGH * share}><title>${dayTitle(day, from + place * DAY_MS)}</title></rect>` : null;
        })}
      </svg>
    </li>
  `;
}

const BY = /** @type {const} */ ([
  ["loss", "loss"],
  ["median", "median"],
  ["p95", "p95"],
  ["jitter", "jitter"],
]);
const ORDERS = /** @type {const} */ ([
  ["value", "the highest"],
  ["change", "the greatest rise"],
]);
const LIMITS = /** @type {const} */ ([
  ["20", "20"],
  ["50", "50"],
  ["100", "100"],
]);

/** @param {URLSearchParams} query */
function usePeriod(query) {
  const range = PERIODS.find((one) => one.name === query.get("range")) ?? PERIODS[1];
  // Whole minutes, so that looking again asks the same.
  const now = useMemo(() => Math.floor(store.nowMs() / 60_000) * 60_000, [range.name]);
  return { range, period: { from: now - range.ms, to: now } };
}

/** @param {{chosen: string}} given */
const Period = ({ chosen: name }) => html`
  <div class="ranges" role="group" aria-label="Period">
    ${PERIODS.map((one) => html`<button key=${one.name} aria-pressed=${one.name === name} onClick=${() => setQuery({ range: one.name === "7d" ? null : one.name })}>${one.label}</button>`)}
  </div>
`;

/** @param {{query: URLSearchParams, group: string}} given */
function Worst({ query, group }) {
  const { range, period } = usePeriod(query);
  const by = chosen(query, "by", BY);
  const order = chosen(query, "order", ORDERS);
  const limit = chosen(query, "limit", LIMITS);
  const found = useLoaded("/history/top", { ...period, group, by, order, limit });
  const figure = FIGURES[by];
  return html`
    <${Period} chosen=${range.name} />
    <${Choice} label="By" name="by" value=${by} choices=${BY} />
    <${Choice} label="First" name="order" value=${order} choices=${ORDERS} />
    <${Choice} label="Rows" name="limit" value=${limit} choices=${LIMITS} />
    <${Below} found=${found} note="whole hours; the change is against the period before, of the same length">
      ${(/** @type {any} */ answer) => {
        const most = Math.max(...answer.rows.map((/** @type {any} */ row) => row[figure.name] ?? 0));
        return html`
          <div class="scroll">
            <table class="list as-cards" data-testid="worst">
              <thead>
                <tr><th class="is-number">#</th><th>Target</th><th>Group</th><th class="wide-only">${figure.title}</th><${Heads} /></tr>
              </thead>
              <tbody>
                ${answer.rows.map(
                  (/** @type {any} */ row, /** @type {number} */ place) => html`
                    <tr key=${row.target} data-target=${row.target}>
                      <td class="is-number wide-only">${place + 1}</td>
                      <td class="what"><a href=${`/targets/${encodeURIComponent(row.target)}?range=${range.name}`}>${row.name}</a></td>
                      <td>${row.group || "–"}</td>
                      <td class="wide-only"><span class="bar-track"><i class="bar-fill" style=${{ width: `${most ? (100 * (row[figure.name] ?? 0)) / most : 0}%` }}></i></span></td>
                      <${Cells} row=${row} />
                    </tr>
                  `,
                )}
              </tbody>
            </table>
          </div>
        `;
      }}
    <//>
  `;
}

const Heads = () => html`${Object.values(FIGURES).map((one) => html`<th class="is-number" key=${one.name}>${one.title}</th><th class="is-number" title="against the period before">Change</th>`)}`;

/** Every figure with its change. @param {{row: any}} given */
const Cells = ({ row }) => html`
  ${Object.values(FIGURES).map(
    (one) => html`
      <td key=${one.name} data-label=${one.title} class=${`is-number ${one.name === "loss_pct" && row[one.name] ? "is-lossy" : ""}`}>${one.text(row[one.name])}</td>
      <td key=${`${one.name} change`} class=${`is-number change ${changeOf(row, one).isWorse ? "is-worse" : ""}`}>${changeOf(row, one).text}</td>
    `,
  )}
`;

/** @param {{query: URLSearchParams, group: string}} given */
function Groups({ query, group }) {
  const { range, period } = usePeriod(query);
  const found = useLoaded("/history/groups", { ...period, group });
  return html`
    <${Period} chosen=${range.name} />
    <${Below} found=${found} note="whole hours; a group has all targets in it and below">
      ${(/** @type {any} */ answer) => html`
        <div class="scroll">
          <table class="list as-cards" data-testid="group-sums">
            <thead>
              <tr><th>Group</th><th class="is-number">Targets</th><${Heads} /></tr>
            </thead>
            <tbody>
              ${answer.rows.map(
                (/** @type {any} */ row) => html`
                  <tr key=${row.group} data-group=${row.group}>
                    <td class="what" style=${{ paddingLeft: `${0.6 + 1.2 * (row.group ? row.group.split("/").length : 0)}rem` }}>
                      ${row.group ? html`<a href=${`/history?view=worst&group=${encodeURIComponent(row.group)}&range=${range.name}`}>${row.group.split("/").pop()}</a>` : "All targets"}
                    </td>
                    <td data-label="Targets" class="is-number">${row.targets}</td>
                    <${Cells} row=${row} />
                  </tr>
                `,
              )}
            </tbody>
          </table>
        </div>
      `}
    <//>
  `;
}

/** @param {{query: URLSearchParams, group: string}} given */
function Unusual({ query, group }) {
  const limit = chosen(query, "limit", LIMITS);
  const found = useLoaded("/history/usual", { group, limit });
  return html`
    <${Choice} label="Rows" name="limit" value=${limit} choices=${LIMITS} />
    <${Below} found=${found} note="beside the same hour of the four weeks before; the most unusual first">
      ${(/** @type {any} */ answer) => html`
        <div class="scroll">
          <table class="list as-cards" data-testid="unusual">
            <thead>
              <tr><th>Target</th><th>Group</th><th class="is-number">Median now</th><th class="is-number">Usual median</th><th class="is-number">Usual 5 to 95 %</th><th class="is-number">Loss now</th><th class="is-number">Usual loss</th><th class="is-number">Weeks</th></tr>
            </thead>
            <tbody>
              ${answer.rows.map((/** @type {any} */ row) => html`<${UnusualRow} key=${row.target} row=${row} />`)}
            </tbody>
          </table>
        </div>
      `}
    <//>
  `;
}

/** @param {{row: any}} given */
function UnusualRow({ row: { target, name, group, now, usual, weeks } }) {
  const isSlow = usual && now.rtt_p50_ms !== null && usual.rtt_p95_ms !== null && now.rtt_p50_ms > usual.rtt_p95_ms;
  const isLossy = usual && (now.loss_pct ?? 0) > (usual.loss_pct ?? 0);
  return html`
    <tr data-target=${target}>
      <td class="what"><a href=${`/targets/${encodeURIComponent(target)}?range=24h&before=1`}>${name}</a></td>
      <td>${group || "–"}</td>
      <td data-label="Median now" class=${`is-number ${isSlow ? "is-lossy" : ""}`}>${ms(now.rtt_p50_ms)}</td>
      <td data-label="Usual" class="is-number">${ms(usual?.rtt_p50_ms)}</td>
      <td data-label="5 to 95 %" class="is-number">${usual && usual.rtt_p5_ms !== null ? `${ms(usual.rtt_p5_ms)} – ${ms(usual.rtt_p95_ms)}` : "–"}</td>
      <td data-label="Loss now" class=${`is-number ${isLossy ? "is-lossy" : ""}`}>${percent(now.loss_pct)}</td>
      <td data-label="Usual loss" class="is-number">${percent(usual?.loss_pct)}</td>
      <td data-label="Weeks" class="is-number" title="of the four weeks before have such an hour">${weeks}</td>
    </tr>
  `;
}
