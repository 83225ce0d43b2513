// @ts-check
// How the members of an incident were around it: the first of them as one line each, or one of them from each site.

import { useAllLoaded, useNow, useStore } from "../hooks.js";
import { around } from "../period.js";
import { html, useMemo, useRef, useState } from "../ui.js";
import { Trouble } from "./bits.js";
import { HistoryChart } from "./historychart.js";
import { blindTimes, ends, historyOf } from "./targethistory.js";

/** @typedef {import("../messages.d.ts").Member} Member */
/** @typedef {{from: number, to: number}} Period */

/** As many lines as are told apart. */
const MOST_TOGETHER = 5;
const POINTS = 600;
const RENEWED_MS = 60_000;

/** Nothing is shown where no member is a target any more. @param {{incident: import("../messages.d.ts").Incident, members: readonly Member[]}} given */
export function IncidentChart({ incident, members }) {
  const known = useStore(({ rows }) => members.filter((one) => rows.has(one.target)).map((one) => one.target).join(" "));
  return known ? html`<${Chart} incident=${incident} members=${members.filter((one) => known.split(" ").includes(one.target))} />` : null;
}

/** @param {{incident: import("../messages.d.ts").Incident, members: readonly Member[]}} given one at least */
function Chart({ incident, members }) {
  const now = useNow(RENEWED_MS);
  const [wanted, setWanted] = useState("");
  const [moved, setMoved] = useState(/** @type {Period|null} */ (null));
  const pointer = useRef((/** @type {number|null} */ _) => undefined);
  const opened = Date.parse(incident.opened_at);
  const end = incident.resolved_at ? Date.parse(incident.resolved_at) : now;
  const period = moved ?? around(opened, end, now);
  const alone = members.length === 1 ? members[0] : members.find((one) => one.target === wanted);
  const drawn = alone ? [alone] : members.slice(0, MOST_TOGETHER);
  const { answers, error } = useAllLoaded(drawn.map((one) => historyOf(one.target)), { from: Math.round(period.from), to: Math.round(period.to), points: POINTS, with: alone ? "all" : null });
  const found = drawn.map((one) => /** @type {[Member, any]} */ ([one, answers[historyOf(one.target)]]));
  const isReady = found.every(([, answer]) => answer && (!alone || answer.states));
  const sites = useMemo(() => {
    if (!isReady) return {};
    // Beside others each target is one line, as all its sites saw it.
    return alone ? found[0][1].sites : Object.fromEntries(found.map(([one, answer]) => [called(one, members), answer.merged]));
  }, [answers, isReady, alone?.target]);
  const marks = useMemo(() => {
    const own = alone && isReady ? found[0][1] : null;
    return {
      blind: own ? blindTimes(own.states.sites) : {},
      maintenance: own ? own.maintenance.map(ends) : [],
      limit: null,
      before: {},
      routes: own ? own.routes.map((/** @type {any} */ one) => Date.parse(one.at)) : [],
      incidents: [/** @type {[number, number]} */ ([opened, end])],
    };
  }, [answers, isReady, opened, end, alone?.target]);
  const isEmpty = !Object.values(sites).some((/** @type {any} */ lines) => lines.length);
  const move = (/** @type {number} */ from, /** @type {number} */ to) => setMoved({ from, to });
  return html`
    <section class="panel history-panel is-alone" aria-label="Around the incident">
      <div class="tools">
        <h2>Around the incident</h2>
        ${members.length > 1
          ? html`<select aria-label="Of which target" value=${wanted} onChange=${(/** @type {any} */ event) => setWanted(event.currentTarget.value)} data-testid="chart-member">
              <option value="">${members.length > MOST_TOGETHER ? `The first ${MOST_TOGETHER} together` : "All together"}</option>
              ${members.map((one) => html`<option key=${one.target} value=${one.target}>${called(one, members)}</option>`)}
            </select>`
          : null}
        ${moved ? html`<button onClick=${() => setMoved(null)}>Back</button>` : null}
        <span class="spring"></span>
        ${alone ? html`<a href=${`/targets/${encodeURIComponent(alone.target)}?from=${Math.round(period.from)}&to=${Math.round(period.to)}`}>All about this time</a>` : null}
      </div>
      <${Trouble} error=${error} />
      ${!isReady
        ? error ? null : html`<p class="empty">Loading…</p>`
        : isEmpty
          ? html`<p class="empty" data-testid="history-chart" data-points="0">Nothing is stored for this time.</p>`
          : html`<${HistoryChart}
              key=${alone?.target ?? ""}
              sites=${sites}
              from=${period.from}
              to=${period.to}
              axis="auto"
              marks=${marks}
              name=${incident.id}
              title=${drawn.map((one) => one.name).join(", ")}
              strips=${[]}
              onZoom=${move}
              onMove=${move}
              onBack=${() => setMoved(null)}
              onPlot=${() => undefined}
              onCursor=${() => undefined}
              pointer=${pointer}
              label="Round-trip times, jitter and loss around the incident"
            />`}
    </section>
  `;
}

/** Two may have one name. @param {Member} one @param {readonly Member[]} members */
const called = (one, members) => (members.some((other) => other.target !== one.target && other.name === one.name) ? `${one.name} (${one.target})` : one.name);
