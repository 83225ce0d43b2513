// @ts-check
// The uptime report: any period, any group, by target, group, tag or site, the worst first. It prints as it is shown.

import { address, api } from "../api.js";
import { duration, exact, full, ms, ownZone, percent, points, uptime } from "../format.js";
import { useLoaded, useTargets } from "../hooks.js";
import { DAY_MS, named, PRESETS } from "../period.js";
import { setQuery } from "../router.js";
import { spent, word } from "../states.js";
import { groups, tags } from "../tablerows.js";
import { html, useEffect, useMemo, useState } from "../ui.js";
import { Pager, Trouble, withChosen } from "./bits.js";
import { CustomPeriod } from "./customperiod.js";

/** What counts as downtime, as the API calls it and in words. */
export const PROFILES = /** @type {const} */ ([
  ["standard", "Down"],
  ["partial-is-down", "Down and Partial"],
  ["unreachable-is-down", "Down and Unreachable"],
  ["strict", "Down, Partial and Unreachable"],
  ["maintenance-counts", "Down, also in maintenance"],
  ["unknown-is-up", "Down; Unknown is uptime"],
  ["unknown-is-down", "Down and Unknown"],
  ["worst-case", "Down, Partial, Unreachable and Unknown, also in maintenance"],
]);
/** What a row is of, as the API calls it and in words. */
const KINDS = /** @type {const} */ ([
  ["target", "Target"],
  ["group", "Group"],
  ["tag", "Tag"],
  ["site", "Site"],
]);
const ROWS = 50;
const meta = (/** @type {string} */ name) => document.querySelector(`meta[name="${name}"]`)?.getAttribute("content");
const TITLE = meta("report-title") ?? "Uptime report";
const LOGO = meta("report-logo");
const ZONE = ownZone();
const WORST = 10;
const LONGEST_WITH_RTT_MS = 93 * DAY_MS;

/** @param {{query: URLSearchParams}} given */
export default function Reports({ query }) {
  const paths = useTargets((rows) => groups(rows.values()));
  const names = useTargets((rows) => tags(rows.values()));
  const preset = PRESETS.find((one) => one.name === (query.get("period") ?? "7d")) ?? PRESETS[2];
  const custom = named(query);
  const group = query.get("group") ?? "";
  const tag = query.get("tag") ?? "";
  const [profile] = PROFILES.find(([name]) => name === query.get("profile")) ?? PROFILES[0];
  const [by, kind] = KINDS.find(([name]) => name === query.get("by")) ?? KINDS[0];
  const offset = Math.max(0, Math.floor(Number(query.get("offset") ?? 0)) || 0);
  const period = useMemo(
    () => custom ?? preset.of(new Date()),
    [preset.name, query.get("from"), query.get("to")],
  );
  const hours = query.get("hours") ?? "";
  const calendar = query.get("calendar") ?? "";
  const calendars = useLoaded("/calendars").answer?.calendars ?? [];
  const asked = { from: Math.round(period.from), to: Math.round(period.to), group, tag, profile, ...(calendar ? { calendar } : { hours, zone: hours ? ZONE : "" }) };
  // Percentiles of many targets over a long time are read for longer than one likes to wait.
  const rtt = period.to - period.from <= LONGEST_WITH_RTT_MS;
  const { answer, error, progress } = useReport({ ...asked, by, rtt, compare: true, offset, limit: ROWS });
  // Of the same report, and drawn together with it: what came later would push the rows about.
  const parts = useReport({ ...asked, by: "group", rtt, compare: true, sort: "name", limit: ROWS });
  const worst = useReport({ ...asked, rtt, compare: true, limit: WORST });
  const isThere = answer && parts.answer && worst.answer;
  const chosen = (/** @type {Record<string, string|null>} */ wanted) => setQuery({ offset: null, ...wanted });
  return html`
    <section class="panel report" aria-label="Uptime report">
      ${LOGO ? html`<img class="report-logo" src=${LOGO} alt="" />` : null}
      <div class="tools">
        <h1>${TITLE}</h1>
        <div class="ranges" role="group" aria-label="Period">
          ${PRESETS.map(
            (one) => html`<button key=${one.name} aria-pressed=${!custom && one.name === preset.name} onClick=${() => chosen({ period: one.name === "7d" ? null : one.name, from: null, to: null })}>${one.label}</button>`,
          )}
        </div>
        <label>
          Rows
          <select value=${by} data-testid="report-by" onChange=${(/** @type {any} */ event) => chosen({ by: event.currentTarget.value === "target" ? null : event.currentTarget.value })}>
            ${KINDS.map(([name, words]) => html`<option value=${name}>${words}s</option>`)}
          </select>
        </label>
        <label>
          Group
          <select value=${group} onChange=${(/** @type {any} */ event) => chosen({ group: event.currentTarget.value })}>
            <option value="">All targets</option>
            ${withChosen(paths, group).map((path) => html`<option value=${path}>${path}</option>`)}
          </select>
        </label>
        ${tag || names.length
          ? html`<label>
              Tag
              <select value=${tag} data-testid="report-tag" onChange=${(/** @type {any} */ event) => chosen({ tag: event.currentTarget.value })}>
                <option value="">Any</option>
                ${withChosen(names, tag).map((name) => html`<option value=${name}>${name}</option>`)}
              </select>
            </label>`
          : null}
        <label>
          Counts as downtime
          <select value=${profile} data-testid="report-profile" onChange=${(/** @type {any} */ event) => chosen({ profile: event.currentTarget.value === "standard" ? null : event.currentTarget.value })}>
            ${PROFILES.map(([name, words]) => html`<option value=${name}>${words}</option>`)}
          </select>
        </label>
        <label title="The hours, holidays and goal of a calendar that is stored under this name: see Settings">
          Calendar
          <select value=${calendar} data-testid="report-calendar" onChange=${(/** @type {any} */ event) => chosen({ calendar: event.currentTarget.value || null, hours: null })}>
            <option value="">none</option>
            ${withChosen(calendars.map((/** @type {any} */ one) => one.name), calendar).map((name) => html`<option value=${name}>${name}</option>`)}
          </select>
        </label>
        <label title="Only these hours count, by the clock of your time zone">
          Hours
          <input class="hours" disabled=${Boolean(calendar)} name="hours" value=${hours} placeholder="all, or Mon-Fri 08:00-18:00" onChange=${(/** @type {any} */ event) => chosen({ hours: event.currentTarget.value.trim() || null })} />
        </label>
        <span class="spring"></span>
        <${CustomPeriod} key=${`${preset.name} ${custom?.from} ${custom?.to}`} from=${period.from} to=${period.to} onChoose=${(/** @type {any} */ wanted) => chosen({ from: String(wanted.from), to: String(wanted.to), period: null })} />
        <a class="button" href=${address("/reports/uptime", { ...asked, by, rtt, compare: true, format: "csv" })} download data-testid="report-csv">CSV</a>
        <a class="button" href=${address("/reports/outages", { ...asked, format: "csv" })} download>Outages as CSV</a>
        <button onClick=${() => print()}>Print</button>
      </div>
      <${Trouble} error=${error ?? parts.error ?? worst.error} />
      ${isThere
        ? html`
            <p class="report-period">
              <time title=${exact(answer.from)}>${full(answer.from)}</time> to <time title=${exact(answer.to)}>${full(answer.to)}</time>, ${answer.group || "all targets"}${answer.tag ? `, tag ${answer.tag}` : ""}${answer.hours ? `, ${answer.hours}` : ""}${answer.calendar ? `, calendar ${answer.calendar}` : ""}${progress === null ? "" : `, calculating… ${progress} %`}
            </p>
            ${answer.count ? html`<${Pages} answer=${answer} parts=${parts.answer} worst=${worst.answer} kind=${kind} />` : html`<p class="empty">${empty(group, tag, by)}</p>`}
          `
        : error ?? parts.error ?? worst.error
          ? null
          : html`<p class="empty">Calculating… <progress max="100" value=${progress ?? 0} aria-label="How much is calculated"></progress></p>`}
    </section>
  `;
}

/** @param {string} group @param {string} tag @param {string} by */
function empty(group, tag, by) {
  if (tag) return `No target${group ? ` in the group ${group}` : ""} has the tag ${tag}.`;
  if (by === "tag") return "No target has a tag.";
  if (by === "group") return "No target is in a group.";
  return group ? `No target is in the group ${group}.` : "There is no target yet: add one on the overview.";
}

/** A report, asked for until it is there. `progress`: percent, null where nothing is being calculated. The last one stays until then.
 * @param {Record<string, any>} asked */
function useReport(asked) {
  const key = JSON.stringify(asked);
  const [found, setFound] = useState({ answer: /** @type {any} */ (null), error: /** @type {any} */ (null), progress: /** @type {number|null} */ (0) });
  useEffect(() => {
    const stop = new AbortController();
    const ask = async () => {
      for (;;) {
        const answer = await api.get("/reports/uptime", { ...asked, wait_s: 1 }, stop.signal);
        if (answer.progress_pct === 100) return setFound({ answer, error: null, progress: null });
        setFound((before) => ({ ...before, progress: answer.progress_pct }));
      }
    };
    setFound((before) => ({ ...before, progress: 0 }));
    ask().catch((error) => error.name !== "AbortError" && setFound((before) => ({ ...before, error, progress: null })));
    return () => stop.abort();
  }, [key]);
  return found;
}

/** `parts`: the report by group, `worst`: its worst targets. @param {{answer: any, parts: any, worst: any, kind: string}} given */
function Pages({ answer, parts, worst, kind }) {
  const bad = worst.rows.filter((/** @type {any} */ row) => row.outages);
  const isAll = answer.count <= ROWS;
  return html`
    <${Cover} answer=${answer} />
    <${Bars} bars=${answer.bars} />
    ${!isAll && answer.by === "target" && bad.length
      ? html`<h2>The worst ${bad.length}</h2>
          <${Table} rows=${bad} by="target" kind="Target" />`
      : null}
    ${answer.by === "target" && parts.count > 1
      ? html`<h2>Groups</h2>
          <${Table} rows=${parts.rows} by="group" kind="Group" />`
      : null}
    <h2>${kind}s</h2>
    <${Table} rows=${answer.rows} by=${answer.by} kind=${kind} total=${answer.by === "target" ? answer : null} testid="report-table" />
    <${Pager} answer=${answer} size=${ROWS} />
    <p class="help">
      Counted as downtime: ${downtime(answer.profile)}. Counted as uptime: ${answering(answer.profile).join(", ")}. Other states count neither way; “–”:
      there is nothing to count. Coverage is how much of the period was measured. Change: percentage points against the period before, of the same length.
      MTTR: how long an outage lasts on average; MTBF: how long it is up for each outage.
      Loss is the share of echo requests without a reply, as they were sent: a target that is DOWN is asked more often, so an outage weighs more in it than
      its time. Uptime and downtime are by time.
    </p>
  `;
}

/** @param {string} profile */
const downtime = (profile) => PROFILES.find(([name]) => name === profile)?.[1] ?? profile;

/** What is uptime unless it is counted as downtime. @param {string} profile */
const answering = (profile) => {
  const isBad = (/** @type {string} */ one) => !["unknown-is-up", "standard", "maintenance-counts"].includes(profile) && downtime(profile).includes(one);
  return [...["Up", "Degraded", "Partial"].filter((one) => !isBad(one)), ...(profile === "unknown-is-up" ? ["Unknown"] : [])];
};

/** @param {{answer: any}} given */
function Cover({ answer }) {
  const { total } = answer;
  const figures = [
    ["Uptime", uptime(total.uptime_pct), points(total.change_pct)],
    ["Downtime", spell(total.downtime_s), ""],
    ["Outages", String(total.outages), total.longest_s ? `longest ${duration(total.longest_s)}` : ""],
    ["MTTR", spell(total.mttr_s), ""],
    ["MTBF", spell(total.mtbf_s), ""],
    ["Coverage", percent(total.coverage_pct), ""],
    ...(total.goal_pct === null ? [] : [["Error budget left", left(total), `goal ${uptime(total.goal_pct)}`]]),
  ];
  return html`
    <dl class="cover" data-testid="report-cover">
      ${figures.map(([name, value, more]) => html`<div key=${name}><dt>${name}</dt><dd>${value}<small>${more}</small></dd></div>`)}
    </dl>
  `;
}

const HIGH = 40;

/** Downtime of all targets together over the period. @param {{bars: {start: string, end: string, down_s: number}[]}} given */
function Bars({ bars }) {
  const most = Math.max(...bars.map((one) => one.down_s));
  if (!(most > 0)) return null;
  const wide = 100 / bars.length;
  return html`
    <figure class="bars">
      <figcaption>Downtime of all targets together; the highest bar is ${duration(most)}</figcaption>
      <svg viewBox=${`0 0 100 ${HIGH}`} preserveAspectRatio="none" role="img" aria-label="Downtime over the period">
        ${bars.map((one, place) => {
          const high = (HIGH * one.down_s) / most;
          return html`<rect key=${one.start} x=${place * wide} y=${HIGH - high} width=${wide * 0.86} height=${high}><title>${duration(one.down_s)}, ${full(one.start)} – ${full(one.end)}</title></rect>`;
        })}
      </svg>
      <div class="strip-ends"><time>${full(bars[0].start)}</time><time>${full(bars[bars.length - 1].end)}</time></div>
    </figure>
  `;
}

/** @param {{rows: any[], by: string, kind: string, total?: any, testid?: string}} given */
function Table({ rows, by, kind, total = null, testid }) {
  const hasGoal = rows.some((row) => row.goal_pct !== null);
  return html`
    <div class="scroll">
      <table class="list as-cards report-table" data-testid=${testid}>
        <thead>
          <tr>
            <th>${kind}</th>
            ${by === "target" ? html`<th>Group</th>` : html`<th class="is-number">Targets</th>`}
            <th class="is-number">Uptime</th><th class="is-number">Change</th><th class="is-number">Coverage</th><th class="is-number">Outages</th><th class="is-number">Downtime</th><th class="is-number">Longest</th><th class="is-number">MTTR</th><th class="is-number">MTBF</th>
            <th class="is-number">Loss</th><th class="is-number">Median</th><th class="is-number">p95</th>
            ${hasGoal ? html`<th class="is-number">Goal</th><th class="is-number">Budget left</th>` : null}
          </tr>
        </thead>
        <tbody>
          ${rows.map(
            (row) => html`
              <tr key=${row.target ?? row.name} data-target=${row.target}>
                <td class="what">${row.target ? html`<a href=${`/targets/${encodeURIComponent(row.target)}`} title=${row.name}>${row.name}</a>` : row.name}</td>
                ${by === "target" ? html`<td class="of" title=${row.group}>${row.group || "–"}</td>` : html`<td data-label="Targets" class="is-number">${row.targets}</td>`}
                <${Figures} row=${row} hasGoal=${hasGoal} />
              </tr>
            `,
          )}
        </tbody>
        ${total
          ? html`<tfoot>
              <tr><th scope="row">Total of ${total.count}</th><td class="of"></td><${Figures} row=${total.total} hasGoal=${hasGoal} /></tr>
            </tfoot>`
          : null}
      </table>
    </div>
  `;
}

/** @param {number|null} seconds */
const spell = (seconds) => (seconds ? duration(seconds) : "–");

/** @param {any} row */
const left = (row) => (row.budget_left_s === null ? "–" : `${row.budget_left_s < 0 ? "−" : ""}${duration(Math.abs(row.budget_left_s))}`);

/** @param {any} row */
const states = (row) => spent(row.seconds).map((state) => `${word(state)} ${duration(row.seconds[state])}`).join(", ");

/** @param {{row: any, hasGoal: boolean}} given */
const Figures = ({ row, hasGoal }) => html`
  <td data-label="Uptime" title=${states(row)} class=${`is-number uptime-cell ${isPoor(row) ? "is-poor" : ""}`}>${uptime(row.uptime_pct)}</td>
  <td data-label="Change" class="is-number">${points(row.change_pct) || "–"}</td>
  <td data-label="Coverage" class="is-number" title=${`${row.coverage_pct} %`}>${percent(row.coverage_pct)}</td>
  <td data-label="Outages" class="is-number">${row.outages}</td>
  <td data-label="Downtime" class="is-number" title=${`${Math.round(row.downtime_s)} s`}>${spell(row.downtime_s)}</td>
  <td data-label="Longest" class="is-number" title=${`${Math.round(row.longest_s)} s`}>${spell(row.longest_s)}</td>
  <td data-label="MTTR" class="is-number">${spell(row.mttr_s)}</td>
  <td data-label="MTBF" class="is-number">${spell(row.mtbf_s)}</td>
  <td data-label="Loss" class=${`is-number ${row.loss_pct ? "is-lossy" : ""}`}>${percent(row.loss_pct)}</td>
  <td data-label="Median" class="is-number">${ms(row.p50_ms)}</td>
  <td data-label="p95" class="is-number">${ms(row.p95_ms)}</td>
  ${hasGoal
    ? html`
        <td data-label="Goal" class="is-number">${uptime(row.goal_pct)}</td>
        <td data-label="Budget left" class=${`is-number ${row.budget_left_s < 0 ? "is-lossy" : ""}`} title=${row.budget_s === null ? undefined : `of ${duration(row.budget_s)}`}>${left(row)}</td>
      `
    : null}
`;

/** @param {any} row */
const isPoor = (row) => row.uptime_pct !== null && row.uptime_pct < (row.goal_pct ?? 99);
