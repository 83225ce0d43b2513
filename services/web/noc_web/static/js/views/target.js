// @ts-check
// The page of one target: how it is now, how it was, the way to it.

import { api } from "../api.js";
import { appended, point } from "../chartseries.js";
import { useDeclared } from "../declared.js";
import { counted, ms, percent } from "../format.js";
import { useAction, useCommand, useEvent, useLoaded, useNow, useStore } from "../hooks.js";
import { live, store } from "../wiring.js";
import { may } from "../me.js";
import { fitting, named, RANGES } from "../period.js";
import { navigate, setQuery } from "../router.js";
import { age } from "../rowfigures.js";
import { MEANING, word } from "../states.js";
import { html, useEffect, useMemo, useState } from "../ui.js";
import { Confirm, Trouble } from "./bits.js";
import { CustomPeriod } from "./customperiod.js";
import { HistoryChart } from "./historychart.js";
import { IncidentTable } from "./incidents.js";
import { OptionsList } from "./optionslist.js";
import { Badge, Shape, Since } from "./state.js";
import { TargetForm } from "./targetform.js";
import { Outages, Timeline, Uptime } from "./timeline.js";
import { Traceroute } from "./traceroute.js";

/** @param {{id: string, query: URLSearchParams}} given */
export default function TargetPage({ id, query }) {
  const row = useStore((state) => state.rows.get(id));
  const [isDrawn, setDrawn] = useState(false);
  const [changes, setChanges] = useState(0);
  // A target that was just added is not there at once, and the server knows it no sooner.
  const isThere = row !== undefined;
  useEffect(() => {
    if (!isThere) return undefined;
    live.watch(id);
    return () => live.watch(null);
  }, [id, isThere]);
  if (!row) return html`<div class="empty"><h1>There is no target ${id}</h1><p>It may have been deleted. <a href="/">To the overview</a></p></div>`;
  return html`
    <${Head} row=${row} onChanged=${() => setChanges((before) => before + 1)} />
    <${History} id=${id} query=${query} onDrawn=${() => setDrawn(true)} />
    <${Below} id=${id} sites=${Object.keys(row.sites)} changes=${changes} isDrawn=${isDrawn} />
  `;
}

/** What is below the history. It waits for that and for all of its own: drawn one by one, each would push the next ones about.
 * @param {{id: string, sites: string[], changes: number, isDrawn: boolean}} given `changes`: counts edits made on this page */
function Below({ id, sites, changes, isDrawn }) {
  const path = `/targets/${encodeURIComponent(id)}`;
  const open = useStore((state) => state.incidents);
  const traces = useLoaded(`${path}/traces`);
  const incidents = useLoaded("/incidents", { target: id });
  const own = useLoaded(path);
  const groups = useLoaded("/groups");
  const declared = useDeclared();
  useEffect(() => incidents.again(), [open]);
  useEffect(() => {
    if (!changes) return;
    own.again();
    groups.again();
  }, [changes]);
  const isReady = isDrawn && [traces.answer ?? traces.error, incidents.answer ?? incidents.error, own.answer ?? own.error, groups.answer ?? groups.error, declared.options ?? declared.error].every(Boolean);
  if (!isReady) return isDrawn ? html`<p class="empty">Loading…</p>` : null;
  return html`
    <div class="columns">
      <${Traceroute} id=${id} sites=${sites} known=${traces} />
      <${Recent} found=${incidents} />
      <${OptionsList} own=${own.answer} groups=${groups.answer?.groups} options=${declared.options} error=${own.error ?? groups.error ?? declared.error} />
    </div>
  `;
}

/** @param {{row: import("../store.js").Row, onChanged: () => void}} given */
function Head({ row, onChanged }) {
  const now = useNow(1000);
  const [shown, setShown] = useState("");
  const close = () => setShown("");
  const removal = useAction(async () => {
    await api.delete(`/targets/${encodeURIComponent(row.id)}`);
    navigate("/");
  });
  const pausing = useAction(async () => {
    await api.patch(`/targets/${encodeURIComponent(row.id)}`, { paused: !row.paused });
    onChanged();
  });
  return html`
    <section class=${`panel target-head state-${row.state}`} data-testid="target-head" data-state=${row.state}>
      <div class="target-title">
        <div class="big-state" title=${MEANING[row.state]}>
          <strong><${Shape} state=${row.state} />${word(row.state)}</strong>
          ${row.since ? html`<small>for <${Since} since=${row.since} now=${now} /></small>` : null}
        </div>
        <div class="target-words">
          <h1>${row.name}</h1>
          <p>
            <code>${row.address}</code> ${row.group ? html`<a href=${`/?group=${encodeURIComponent(row.group)}`}>${row.group}</a>` : null}
            ${row.tags.map((tag) => html`<span class="tag" key=${tag}>${tag}</span>`)} ${row.critical ? html`<small class="mark">critical</small>` : null}
          </p>
          <p>${row.reason}</p>
        </div>
        <div class="target-acts">
          <${CheckNow} id=${row.id} />
          ${may("operator")
            ? html`
                <button disabled=${pausing.busy} onClick=${pausing.run}>${row.paused ? "Resume" : "Pause"}</button>
                <button data-testid="edit-target" onClick=${() => setShown("edit")}>Edit</button>
                <button class="danger" data-testid="delete-target" onClick=${() => setShown("delete")}>Delete</button>
              `
            : null}
        </div>
      </div>
      <${Trouble} error=${pausing.error} />
      <div class="scroll">
        <table class="list as-cards per-site">
          <thead>
            <tr><th>Site</th><th>State</th><th>For</th><th class="is-number">RTT</th><th class="is-number">Loss</th><th>Why</th></tr>
          </thead>
          <tbody>
            ${Object.entries(row.sites).map(
              ([site, cell]) => html`
                <tr key=${site} data-site=${site} data-state=${cell.state}>
                  <td>${site}</td>
                  <td><${Badge} state=${cell.state} /></td>
                  <td><${Since} since=${cell.since} now=${now} /></td>
                  <td class=${`is-number ${age(cell, row.interval_s, now) ? "is-old" : ""}`} data-label="RTT">${ms(cell.rtt_ms)}<${Age} cell=${cell} row=${row} now=${now} /></td>
                  <td class=${`is-number ${cell.loss_pct ? "is-lossy" : ""}`} data-label="Loss">${percent(cell.loss_pct)}</td>
                  <td class="cause">${cell.reason}</td>
                </tr>
              `,
            )}
          </tbody>
        </table>
      </div>
    </section>
    ${shown === "edit" ? html`<${TargetForm} id=${row.id} onClose=${close} onSaved=${() => (close(), onChanged())} />` : null}
    ${shown === "delete"
      ? html`<${Confirm} title=${`Delete ${row.name}?`} verb="Delete" busy=${removal.busy} error=${removal.error} onYes=${removal.run} onClose=${close}>
          <p>It is not pinged any more and leaves the table. Its history stays in the store.</p>
        <//>`
      : null}
  `;
}

/** How old a site's figures are, where they are old. @param {{cell: import("../store.js").Cell, row: import("../store.js").Row, now: number}} given */
function Age({ cell, row, now }) {
  const old = age(cell, row.interval_s, now);
  return old ? html`<small> ${old} ago</small>` : null;
}

/** @param {{id: string}} given */
function CheckNow({ id }) {
  const [said, setSaid] = useState("");
  const { run, busy, asked, refusal, error } = useCommand(`/targets/${encodeURIComponent(id)}/check`, ({ site, result }) => {
    if (!result) return;
    const mean = result.rtts_ms.length ? result.rtts_ms.reduce((sum, one) => sum + one, 0) / result.rtts_ms.length : null;
    setSaid(`${site}: ${result.invalid ?? `${result.received} of ${result.sent} answered${mean === null ? "" : `, ${ms(mean)}`}`}`);
  });
  if (!may("operator")) return null;
  return html`
    <span class="check-now">
      <small role="status">${error?.message || refusal || (asked ? "asked…" : said)}</small>
      <button data-testid="check-now" disabled=${busy} onClick=${() => run({})}>Check now</button>
    </span>
  `;
}

const LIVE_APPEND_MS = 2 * 3_600_000;

/** @param {{id: string, query: URLSearchParams, onDrawn: () => void}} given */
function History({ id, query, onDrawn }) {
  const asked = query.get("range");
  const range = RANGES.find((one) => one.name === (asked ?? "1h")) ?? RANGES[1];
  const fixed = named(query);
  const [anchor, setAnchor] = useState(store.nowMs());
  const period = fixed ?? { from: anchor - range.ms, to: anchor };
  const isLive = !fixed;
  const path = `/targets/${encodeURIComponent(id)}`;
  const points = Math.min(1500, Math.max(400, Math.round(innerWidth * 0.8)));
  const history = useLoaded(`${path}/history`, { from: Math.round(period.from), to: Math.round(period.to), points });
  const states = useLoaded(`${path}/states`, { from: Math.round(period.from), to: Math.round(period.to) });
  const span = period.to - period.from;
  const isCompared = query.get("before") === "1";
  const earlier = useLoaded(isCompared ? `${path}/history` : null, { from: Math.round(period.from - span), to: Math.round(period.from), points });
  const incidents = useLoaded("/incidents", { target: id, from: Math.round(period.from), to: Math.round(period.to) });
  const own = useLoaded(path);
  const [heard, setHeard] = useState(/** @type {[string, any][]} */ ([]));
  const [plot, setPlot] = useState({ left: 0, width: 0 });
  const now = useNow(5000);
  useEffect(() => {
    setAnchor(store.nowMs());
  }, [range.name, fixed?.from, fixed?.to]);
  useEffect(() => {
    if (!isLive) return undefined;
    const timer = setInterval(() => setAnchor(store.nowMs()), Math.max(30_000, range.ms / 120));
    return () => clearInterval(timer);
  }, [isLive, range.name]);
  useEvent("result", (result) => {
    // A few that the last answer already has do no harm: only newer ones are appended.
    if (result.target === id) setHeard((before) => [...before.slice(-2000), [result.site, point(result)]]);
  });
  const appends = isLive && range.ms <= LIVE_APPEND_MS;
  const sites = useMemo(() => {
    const found = history.answer?.sites ?? {};
    return appends ? appended(found, heard, history.answer?.width_ms) : found;
  }, [history.answer, heard, appends]);
  const marks = useMemo(
    () => ({
      blind: blindTimes(states.answer?.sites ?? {}),
      limit: own.answer?.resolved.degraded_rtt_ms ?? null,
      before: isCompared ? later(earlier.answer?.sites ?? {}, span) : {},
      incidents: (incidents.answer?.incidents ?? []).map((/** @type {any} */ one) => /** @type {[number, number]} */ ([Date.parse(one.opened_at), one.resolved_at ? Date.parse(one.resolved_at) : period.to])),
    }),
    [states.answer, own.answer, earlier.answer, incidents.answer, isCompared],
  );
  const isReady = Boolean((history.answer || history.error) && (states.answer || states.error));
  useEffect(() => {
    if (isReady) onDrawn();
  }, [isReady]);
  const end = appends ? Math.max(now, period.to) : period.to;
  const start = appends ? end - range.ms : period.from;
  // Nobody has asked for a range: one that a new target does not leave empty.
  const shown = { from: asked || fixed ? start : fitting(sites, states.answer, start, end), to: end };
  const isEmpty = history.answer && !Object.values(sites).some((/** @type {any} */ rows) => rows.length);
  const zoom = (/** @type {number} */ from, /** @type {number} */ to) => setQuery({ from: String(Math.round(from)), to: String(Math.round(to)) }, { isZoom: true });
  return html`
    <section class="panel history-panel" aria-label="History" style=${plot.width ? { "--plot-left": `${plot.left}px`, "--plot-width": `${plot.width}px` } : {}}>
      <div class="tools">
        <h2>History</h2>
        <div class="ranges" role="group" aria-label="Range">
          ${RANGES.map(
            (one) => html`
              <button key=${one.name} aria-pressed=${isLive && one.name === range.name} data-range=${one.name} onClick=${() => setQuery({ range: one.name, from: null, to: null })}>
                ${one.label}
              </button>
            `,
          )}
        </div>
        ${fixed ? html`<button data-testid="zoom-back" onClick=${zoomOut}>Zoom out</button>` : null}
        <button class="quiet" aria-pressed=${query.get("y") === "0"} title="Let the chart's axis start at 0" data-testid="from-zero" onClick=${() => setQuery({ y: query.get("y") === "0" ? null : "0" }, { replace: true })}>
          From 0
        </button>
        <button class="quiet" aria-pressed=${query.get("y") === "log"} title="Powers of ten on the chart's axis" data-testid="log-axis" onClick=${() => setQuery({ y: query.get("y") === "log" ? null : "log" }, { replace: true })}>Log</button>
        <button class="quiet" aria-pressed=${isCompared} title="Draw the period before as dashed lines" data-testid="period-before" onClick=${() => setQuery({ before: isCompared ? null : "1" }, { replace: true })}>Before</button>
        <span class="spring"></span>
        <${CustomPeriod} key=${`${range.name} ${fixed?.from} ${fixed?.to}`} from=${period.from} to=${period.to} onChoose=${(/** @type {any} */ wanted) => setQuery({ from: String(wanted.from), to: String(wanted.to) })} />
      </div>
      <${Trouble} error=${history.error ?? states.error} />
      ${!isReady
        ? html`<p class="empty">Loading…</p>`
        : isEmpty
          ? html`<p class="empty" data-testid="history-chart" data-points="0">Nothing is stored for this period. Choose another one, or wait for the first cycles.</p>`
          : history.answer
            ? html`<${HistoryChart}
                sites=${sites}
                from=${shown.from}
                to=${shown.to}
                axis=${AXES[query.get("y") ?? ""] ?? "auto"}
                marks=${marks}
                name=${`${id}-${new Date(shown.from).toISOString().slice(0, 16)}`.replace(/[^a-z0-9-]/gi, "-")}
                onZoom=${zoom}
                onBack=${zoomOut}
                onPlot=${(/** @type {typeof plot} */ next) => setPlot((before) => (before.left === next.left && before.width === next.width ? before : next))}
                label="Round-trip times and loss by site"
              />`
            : null}
      ${isReady && states.answer
        ? html`
            <${Timeline} found=${states.answer} from=${shown.from} to=${shown.to} isPlaced=${plot.width > 0 || isEmpty || !history.answer} />
            <h2>Uptime</h2>
            <${Uptime} found=${states.answer} />
            <h2>Outages</h2>
            <${Outages} found=${states.answer} />
          `
        : null}
    </section>
  `;
}

/** Of the chart, as the page's address says it. @type {Record<string, "zero"|"log">} */
const AXES = { 0: "zero", log: "log" };

/** When each site looked at nothing. @param {Record<string, {state: string, start: string, end: string}[]>} sites
 * @returns {Record<string, [number, number][]>} */
const blindTimes = (sites) =>
  Object.fromEntries(Object.entries(sites).map(([site, intervals]) => [site, intervals.filter((one) => one.state === "UNKNOWN").map((one) => [Date.parse(one.start), Date.parse(one.end)])]));

/** Rows as if they had been so much later. @param {Record<string, any[]>} sites @param {number} ms */
const later = (sites, ms) => Object.fromEntries(Object.entries(sites).map(([site, rows]) => [site, rows.map(([at, ...rest]) => [at + ms, ...rest])]));

/** Undo the last zoom: it is a step in the browser's history, but where somebody came with it from elsewhere. */
function zoomOut() {
  if (history.state?.isZoom) history.back();
  else setQuery({ from: null, to: null });
}

/** @param {{found: {answer: any, error: any, again: () => void}}} given */
function Recent({ found }) {
  const incidents = found.answer?.incidents ?? [];
  return html`
    <section class="panel" aria-label="Incidents">
      <h2>Incidents of the last 30 days</h2>
      <${Trouble} error=${found.error} />
      ${incidents.length
        ? html`<${IncidentTable} incidents=${incidents} onChanged=${found.again} brief />`
        : found.answer
          ? html`<p class="empty">None.</p>`
          : null}
      ${incidents.length ? html`<small class="help">${counted(incidents.length, "incident")}</small>` : null}
    </section>
  `;
}
