// @ts-check
// Incidents, open and over; an open one can be acknowledged with a comment.

import { api } from "../api.js";
import { counted, duration, moment, exact } from "../format.js";
import { useAction, useLoaded, useNow, useStore } from "../hooks.js";
import { may } from "../me.js";
import { DAY_MS } from "../period.js";
import { setQuery } from "../router.js";
import { html, useEffect, useState } from "../ui.js";
import { Dialog, Trouble } from "./bits.js";

const DAYS = [1, 7, 30, 90, 365];
const SHOWN_TARGETS = 6;

/** @param {{query: URLSearchParams}} given */
export default function Incidents({ query }) {
  const shown = query.get("show") === "all" ? "all" : "open";
  const days = DAYS.includes(Number(query.get("days"))) ? Number(query.get("days")) : 30;
  const open = useStore((state) => state.incidents);
  const known = useStore((state) => state.kpis !== null);
  const [atMs] = useState(Date.now());
  const found = useLoaded(shown === "all" ? "/incidents" : null, { from: Math.round(atMs - days * DAY_MS) });
  useEffect(() => found.again(), [open]);
  const incidents = shown === "open" ? open : (found.answer?.incidents ?? []);
  return html`
    <section class="panel" aria-label="Incidents">
      <div class="tools">
        <h1>Incidents</h1>
        <div class="ranges" role="group" aria-label="Which">
          <button aria-pressed=${shown === "open"} onClick=${() => setQuery({ show: null })}>Open (${open.length})</button>
          <button aria-pressed=${shown === "all"} onClick=${() => setQuery({ show: "all" })}>All</button>
        </div>
        ${shown === "all"
          ? html`<label>of the last
              <select value=${String(days)} onChange=${(/** @type {any} */ event) => setQuery({ days: event.currentTarget.value })}>
                ${DAYS.map((one) => html`<option value=${String(one)}>${counted(one, "day")}</option>`)}
              </select></label>`
          : null}
      </div>
      <${Trouble} error=${found.error} />
      ${incidents.length
        ? html`<${IncidentTable} incidents=${incidents} onChanged=${found.again} />`
        : html`<p class="empty">${!known || found.busy ? "Loading…" : shown === "open" ? "No incident is open. All is well." : "No incident in this period."}</p>`}
    </section>
  `;
}

/** @param {{incidents: readonly any[], onChanged: () => void, brief?: boolean}} given */
export function IncidentTable({ incidents, onChanged, brief = false }) {
  const now = useNow(5000);
  const rows = useStore((state) => state.rows);
  const [taking, setTaking] = useState(/** @type {any} */ (null));
  return html`
    <div class="scroll">
      <table class="list as-cards incidents" data-testid="incidents">
        <thead>
          <tr><th>Status</th><th>Since</th><th class="is-number">Lasted</th>${brief ? null : html`<th>What</th>`}<th>Cause</th><th>Acknowledged</th></tr>
        </thead>
        <tbody>
          ${incidents.map(
            (one) => html`
              <tr key=${one.id} data-incident=${one.id} data-open=${String(!one.resolved_at)}>
                <td>${one.resolved_at ? html`<span class="status is-over">over</span>` : html`<span class="status is-open">open</span>`}</td>
                <td><time title=${exact(one.opened_at)}>${moment(one.opened_at)}</time></td>
                <td class="is-number">${duration(((one.resolved_at ? Date.parse(one.resolved_at) : now) - Date.parse(one.opened_at)) / 1000)}</td>
                ${brief ? null : html`<td class="what"><${What} incident=${one} rows=${rows} /></td>`}
                <td class="cause">
                  ${one.evidence.length
                    ? html`<details>
                        <summary>${one.cause}</summary>
                        <ul>${one.evidence.map((/** @type {string} */ line) => html`<li>${line}</li>`)}</ul>
                      </details>`
                    : one.cause}
                </td>
                <td>
                  ${one.acknowledged
                    ? html`<span title=${exact(one.acknowledged.at)}>${one.acknowledged.by}, ${moment(one.acknowledged.at)}</span>
                        ${one.acknowledged.comment ? html`<q>${one.acknowledged.comment}</q>` : null}`
                    : one.resolved_at
                      ? "–"
                      : may("operator")
                        ? html`<button data-testid="acknowledge" onClick=${() => setTaking(one)}>Acknowledge</button>`
                        : "not yet"}
                </td>
              </tr>
            `,
          )}
        </tbody>
      </table>
    </div>
    ${taking ? html`<${Acknowledge} incident=${taking} onClose=${() => setTaking(null)} onDone=${() => (setTaking(null), onChanged())} />` : null}
  `;
}

/** @param {{incident: any, rows: ReadonlyMap<string, any>}} given */
function What({ incident, rows }) {
  if (incident.site && !incident.targets.length) return html`site <strong>${incident.site}</strong> is blind`;
  const shown = incident.targets.slice(0, SHOWN_TARGETS);
  return html`
    ${incident.site ? html`site <strong>${incident.site}</strong>: ` : null}
    ${shown.map((/** @type {string} */ id, /** @type {number} */ place) => html`${place ? ", " : ""}<a href=${`/targets/${encodeURIComponent(id)}`}>${rows.get(id)?.name ?? id}</a>`)}
    ${incident.targets.length > shown.length ? ` and ${incident.targets.length - shown.length} more` : ""}
  `;
}

/** @param {{incident: any, onClose: () => void, onDone: () => void}} given */
function Acknowledge({ incident, onClose, onDone }) {
  const [comment, setComment] = useState("");
  const { run, busy, error } = useAction(async () => {
    await api.post(`/incidents/${encodeURIComponent(incident.id)}/acknowledge`, { comment: comment.trim() });
    onDone();
  });
  return html`
    <${Dialog} title="Take this incident on" onClose=${onClose}>
      <form class="dialog-form" onSubmit=${(/** @type {any} */ event) => (event.preventDefault(), run())}>
        <div class="dialog-body">
          <p>${incident.cause}</p>
          <label class="field">
            Comment
            <textarea rows="3" maxlength="500" name="comment" value=${comment} onInput=${(/** @type {any} */ event) => setComment(event.currentTarget.value)} placeholder="What you do about it; others see it"></textarea>
          </label>
          <${Trouble} error=${error} />
        </div>
        <footer>
          <button type="button" class="quiet" onClick=${onClose}>Cancel</button>
          <button class="primary" disabled=${busy}>Acknowledge</button>
        </footer>
      </form>
    <//>
  `;
}
