// @ts-check
// How a target was: its chart, alone or beside those of others, the bars of its states, its uptime and its outages.

import { appended, point } from "../chartseries.js";
import { useAllLoaded, useEvent, useLoaded, useNow, useStore } from "../hooks.js";
import { fitting, lasting, named, RANGES } from "../period.js";
import { setQuery } from "../router.js";
import { html, useEffect, useMemo, useRef, useState } from "../ui.js";
import { store } from "../wiring.js";
import { Trouble } from "./bits.js";
import { CustomPeriod } from "./customperiod.js";
import { HistoryChart } from "./historychart.js";
import { strips, Outages, Timeline, Uptime } from "./timeline.js";

const LIVE_APPEND_MS = 2 * 3_600_000;
/** As many lines as there are colours. */
const MOST_OTHERS = 5;
/** What ends so close to now is shown live. */
const EDGE = 0.01;

/** @typedef {{from: number, to: number}} Period */

/** @param {{id: string, query: URLSearchParams, onDrawn: () => void}} given */
export function History({ id, query, onDrawn }) {
  const asked = query.get("range");
  const last = lasting(query.get("last"));
  const range = last ? { name: "", ms: last } : RANGES.find((one) => one.name === (asked ?? "1h")) ?? RANGES[1];
  const fixed = named(query);
  const [anchor, setAnchor] = useState(store.nowMs());
  const period = fixed ?? { from: anchor - range.ms, to: anchor };
  const isLive = !fixed;
  const path = pathOf(id);
  const points = Math.min(1500, Math.max(400, Math.round(innerWidth * 0.8)));
  const times = { from: Math.round(period.from), to: Math.round(period.to) };
  const history = useLoaded(historyOf(id), { ...times, points });
  const states = useLoaded(statesOf(id), times);
  const span = period.to - period.from;
  const isCompared = query.get("before") === "1";
  const incidents = useLoaded("/incidents", { target: id, ...times });
  const routes = useLoaded(`${path}/routes`, times);
  const own = useLoaded(path);
  const wanted = (query.get("with") ?? "").split(",").filter((one) => one !== id);
  // As text, so that all of this is drawn anew for another name only, and not for what changes about any row.
  const called = useStore(({ rows }) => JSON.stringify([id, ...wanted.filter((one) => rows.has(one)).slice(0, MOST_OTHERS)].map((one) => [one, rows.get(one)?.name ?? one])));
  const names = useMemo(() => /** @type {Map<string, string>} */ (new Map(JSON.parse(called))), [called]);
  const others = [...names.keys()].slice(1);
  const beside = useAllLoaded(others.map(historyOf), { ...times, points });
  const besideStates = useAllLoaded(others.map(statesOf), times);
  const earlier = useAllLoaded(isCompared ? [id, ...others].map(historyOf) : [], { from: Math.round(period.from - span), to: times.from, points });
  const [heard, setHeard] = useState(/** @type {[string, any][]} */ ([]));
  const [plot, setPlot] = useState({ left: 0, width: 0 });
  const panel = useRef(/** @type {HTMLElement|null} */ (null));
  const pointer = useRef((/** @type {number|null} */ _) => undefined);
  const now = useNow(5000);
  useEffect(() => {
    setAnchor(store.nowMs());
  }, [range.name, range.ms, fixed?.from, fixed?.to]);
  useEffect(() => {
    if (!isLive) return undefined;
    const timer = setInterval(() => setAnchor(store.nowMs()), Math.max(30_000, range.ms / 120));
    return () => clearInterval(timer);
  }, [isLive, range.ms]);
  useEvent("result", (result) => {
    // A few that the last answer already has do no harm: only newer ones are appended.
    if (result.target === id) setHeard((before) => [...before.slice(-2000), [result.site, point(result)]]);
  });
  const appends = isLive && range.ms <= LIVE_APPEND_MS && !others.length;
  const sites = useMemo(() => {
    const answer = history.answer;
    // Beside others each target is one line, as all its sites saw it.
    if (others.length) return byLine(names, (one) => (one === id ? answer : beside.answers[historyOf(one)])?.merged);
    const found = Object.fromEntries(Object.entries(answer?.sites ?? {}).sort());
    return appends ? appended(found, heard, answer?.width_ms) : found;
  }, [history.answer, beside.answers, heard, appends, names]);
  const marks = useMemo(
    () => ({
      blind: blindTimes(others.length ? byLine(names, (one) => (one === id ? states.answer : besideStates.answers[statesOf(one)])?.overall) : (states.answer?.sites ?? {})),
      maintenance: (states.answer?.maintenance ?? []).map(ends),
      limit: own.answer?.resolved.degraded_rtt_ms ?? null,
      before: isCompared ? later(others.length ? byLine(names, (one) => earlier.answers[historyOf(one)]?.merged) : (earlier.answers[historyOf(id)]?.sites ?? {}), span) : {},
      routes: (routes.answer?.changes ?? []).map((/** @type {any} */ one) => Date.parse(one.at)),
      incidents: (incidents.answer?.incidents ?? []).map((/** @type {any} */ one) => /** @type {[number, number]} */ ([Date.parse(one.opened_at), one.resolved_at ? Date.parse(one.resolved_at) : period.to])),
    }),
    [states.answer, besideStates.answers, own.answer, earlier.answers, incidents.answer, routes.answer, isCompared, names],
  );
  const isReady = Boolean((history.answer || history.error) && (states.answer || states.error) && (routes.answer || routes.error) && (beside.error || others.every((one) => historyOf(one) in beside.answers)));
  useEffect(() => {
    if (isReady) onDrawn();
  }, [isReady]);
  const end = appends ? Math.max(now, period.to) : period.to;
  const start = appends ? end - range.ms : period.from;
  // Nobody has asked for a range: one that a new target does not leave empty.
  const shown = { from: asked || fixed || last || others.length ? start : fitting(sites, states.answer, start, end), to: end };
  const isEmpty = history.answer && !Object.values(sites).some((/** @type {any} */ lines) => lines.length);
  const bars = states.answer ? strips(states.answer, shown.to) : [];
  return html`
    <section class="panel history-panel" ref=${panel} aria-label="History" style=${plot.width ? { "--plot-left": `${plot.left}px`, "--plot-width": `${plot.width}px` } : {}}>
      <div class="tools">
        <h2>History</h2>
        <div class="ranges" role="group" aria-label="Range">
          ${RANGES.map(
            (one) => html`
              <button key=${one.name} aria-pressed=${isLive && one.name === range.name} data-range=${one.name} onClick=${() => setQuery({ range: one.name, last: null, from: null, to: null })}>
                ${one.label}
              </button>
            `,
          )}
        </div>
        ${fixed ? html`<button data-testid="zoom-back" onClick=${back}>Back</button>` : null}
        <${Choices} query=${query} isCompared=${isCompared} />
        <${Others} id=${id} others=${others} />
        <span class="spring"></span>
        <${CustomPeriod} key=${`${range.name} ${range.ms} ${fixed?.from} ${fixed?.to}`} from=${period.from} to=${period.to} onChoose=${(/** @type {Period} */ wanted) => setQuery({ from: String(wanted.from), to: String(wanted.to), last: null })} />
      </div>
      <${Trouble} error=${history.error ?? states.error ?? beside.error} />
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
                title=${Object.keys(sites).length && others.length ? Object.keys(sites).join(", ") : names.get(id)}
                strips=${bars}
                onZoom=${(/** @type {number} */ from, /** @type {number} */ to) => setQuery({ ...rounded(from, to), last: null }, { isZoom: true })}
                onMove=${(/** @type {number} */ from, /** @type {number} */ to) => move({ from, to }, Boolean(fixed))}
                onBack=${back}
                onPlot=${(/** @type {typeof plot} */ next) => setPlot((before) => (before.left === next.left && before.width === next.width ? before : next))}
                onCursor=${(/** @type {number|null} */ share) => showCursor(panel.current, share)}
                pointer=${pointer}
                label="Round-trip times, jitter and loss by site"
              />`
            : null}
      ${isReady && states.answer
        ? html`
            <${Timeline} bars=${bars} changes=${routes.answer?.changes ?? []} from=${shown.from} to=${shown.to} isPlaced=${plot.width > 0 || isEmpty || !history.answer} onPoint=${(/** @type {number|null} */ clientX) => pointer.current(clientX)} />
            <h2>Uptime</h2>
            <${Uptime} found=${states.answer} />
            <h2>Outages</h2>
            <${Outages} found=${states.answer} />
          `
        : null}
    </section>
  `;
}

/** @param {string} id */
const pathOf = (id) => `/targets/${encodeURIComponent(id)}`;

/** @param {string} id */
export const historyOf = (id) => `${pathOf(id)}/history`;

/** @param {string} id */
const statesOf = (id) => `${pathOf(id)}/states`;

/** What each of several targets has, by what its line is called. @param {ReadonlyMap<string, string>} names by the targets, of which the page's own is the first
 * @param {(id: string) => any[]|undefined} find @returns {Record<string, any[]>} */
const byLine = (names, find) => Object.fromEntries([...names].map(([one, name], place) => [place ? `${name} (${one})` : name, find(one) ?? []]));

/** What is drawn besides, and how the axis is. @param {{query: URLSearchParams, isCompared: boolean}} given */
const Choices = ({ query, isCompared }) => html`
  <button class="quiet" aria-pressed=${query.get("y") === "0"} title="Let the chart's axis start at 0" data-testid="from-zero" onClick=${() => setQuery({ y: query.get("y") === "0" ? null : "0" }, { replace: true })}>From 0</button>
  <button class="quiet" aria-pressed=${query.get("y") === "log"} title="Powers of ten on the chart's axis" data-testid="log-axis" onClick=${() => setQuery({ y: query.get("y") === "log" ? null : "log" }, { replace: true })}>Log</button>
  <button class="quiet" aria-pressed=${isCompared} title="Draw the period before as dashed lines" data-testid="period-before" onClick=${() => setQuery({ before: isCompared ? null : "1" }, { replace: true })}>Before</button>
`;

const SUGGESTED = 12;

/** Which other targets are drawn beside it. @param {{id: string, others: readonly string[]}} given */
function Others({ id, others }) {
  const rows = useStore((state) => state.rows);
  const [text, setText] = useState("");
  const choose = (/** @type {readonly string[]} */ wanted) => setQuery({ with: wanted.join(",") || null }, { replace: true });
  const found = [];
  for (const row of rows.values()) {
    if (found.length >= SUGGESTED || !text) break;
    if (row.id !== id && !others.includes(row.id) && `${row.id} ${row.name}`.toLowerCase().includes(text.toLowerCase())) found.push(row);
  }
  const onInput = (/** @type {any} */ event) => {
    const typed = event.currentTarget.value;
    if (!rows.has(typed) || typed === id || others.includes(typed)) return setText(typed);
    setText("");
    return choose([...others, typed]);
  };
  return html`
    <span class="compare">
      ${others.map((one) => html`<span class="chip" key=${one}>${rows.get(one)?.name ?? one}<button type="button" aria-label=${`Remove ${one}`} onClick=${() => choose(others.filter((other) => other !== one))}>×</button></span>`)}
      ${others.length < MOST_OTHERS
        ? html`
            <input name="compare" value=${text} list="compare-list" placeholder="Compare with…" aria-label="Compare with another target" autocomplete="off" onInput=${onInput} />
            <datalist id="compare-list">${found.map((row) => html`<option value=${row.id}>${row.name}</option>`)}</datalist>
          `
        : null}
    </span>
  `;
}

/** Of the chart, as the page's address says it. @type {Record<string, "zero"|"log">} */
const AXES = { 0: "zero", log: "log" };

/** @param {number} from @param {number} to */
const rounded = (from, to) => ({ from: String(Math.round(from)), to: String(Math.round(to)) });

/** To a period that was moved to. The first of several moves is a step in the browser's history; at now the chart goes on live.
 * @param {Period} period @param {boolean} isFixed whether it did not go on live before */
function move({ from, to }, isFixed) {
  const how = isFixed ? { replace: true, isZoom: Boolean(history.state?.isZoom) } : { isZoom: true };
  const isAtNow = store.nowMs() - to < EDGE * (to - from);
  setQuery(isAtNow ? { last: `${Math.max(1, Math.round((to - from) / 1000))}s`, from: null, to: null } : { ...rounded(from, to), last: null }, how);
}

/** Undo the last zoom: it is a step in the browser's history, but where somebody came with it from elsewhere. */
function back() {
  if (history.state?.isZoom) history.back();
  else setQuery({ from: null, to: null, last: null });
}

/** Past all drawing: it follows the mouse. @param {HTMLElement|null} panel @param {number|null} share of the plot's width */
function showCursor(panel, share) {
  if (share === null || share < 0 || share > 1) panel?.style.removeProperty("--cursor");
  else panel?.style.setProperty("--cursor", String(share));
  panel?.classList.toggle("has-cursor", share !== null);
}

/** @param {{start: string, end: string}} one @returns {[number, number]} */
export const ends = ({ start, end }) => [Date.parse(start), Date.parse(end)];

/** When each line was looked at by nobody. @param {Record<string, {state: string, start: string, end: string}[]>} sites
 * @returns {Record<string, [number, number][]>} */
export const blindTimes = (sites) => Object.fromEntries(Object.entries(sites).map(([site, intervals]) => [site, intervals.filter((one) => one.state === "UNKNOWN").map(ends)]));

/** Rows as if they had been so much later. @param {Record<string, any[]>} sites @param {number} ms */
const later = (sites, ms) => Object.fromEntries(Object.entries(sites).map(([site, rows]) => [site, rows.map(([at, ...rest]) => [at + ms, ...rest])]));
