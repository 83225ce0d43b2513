// @ts-check
// Incidents, open and over; an open one can be acknowledged with a comment.

import { api } from "../api.js";
import { counted, duration, moment, exact } from "../format.js";
import { useAction, useLoaded, useNow, useStore } from "../hooks.js";
import { may } from "../me.js";
import { DAY_MS } from "../period.js";
import { setQuery } from "../router.js";
import { html, useState } from "../ui.js";
import { Dialog, Trouble } from "./bits.js";

const DAYS = [1, 7, 30, 90, 365];
const SHOWN_TARGETS = 6;

/** @param {{query: URLSearchParams}} given */
export default function Incidents({ query }) {
  const shown = query.get("show") === "all" ? "all" : "open";
  const days = DAYS.includes(Number(query.get("days"))) ? Number(query.get("days")) : 30;
  const open = useStore((state) => state.incidents);
  const allWell = useStore((state) => state.allWell);
  const [atMs] = useState(Date.now());
  const found = useLoaded(shown === "all" ? "/incidents" : null, { from: Math.round(atMs - days * DAY_MS) }, open);
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
        : html`<p class="empty">${found.busy ? "Loading…" : shown === "open" ? `No incident is open.${allWell ? " All is well." : ""}` : "No incident in this period."}</p>`}
    </section>
  `;
}

/** `acknowledging`: the one whose form is open at first. @param {{incidents: readonly any[], onChanged: () => void, brief?: boolean, acknowledging?: any}} given */
export function IncidentTable({ incidents, onChanged, brief = false, acknowledging = null }) {
  const now = useNow(5000);
  const rows = useStore((state) => state.rows);
  const [taking, setTaking] = useState(acknowledging);
  return html`
    <div class="scroll">
      <table class="list as-cards incidents" data-testid="incidents">
        <thead>
          <tr><th>Status</th><th>Since</th><th class="is-number">Lasted</th>${brief ? null : html`<th>What</th>`}<th>Cause</th><th>Acknowledged by</th></tr>
        </thead>
        <tbody>
          ${incidents.map(
            (one) => html`
              <tr key=${one.id} data-incident=${one.id} data-open=${String(!one.resolved_at)}>
                <td>${one.resolved_at ? html`<span class="status is-over">resolved</span>` : html`<span class="status is-open">open</span>`}${one.muted && !one.resolved_at ? html` <span class="status is-muted" title=${muted(one.muted)}>muted</span>` : null}${one.severity ? html` <small>${one.severity}</small>` : null}</td>
                <td data-label="Since"><a href=${`/incidents/${encodeURIComponent(one.id)}`} aria-label=${`All about ${subject(one, rows)}, since ${exact(one.opened_at)}`}><time title=${exact(one.opened_at)}>${moment(one.opened_at)}</time></a></td>
                <td data-label="Lasted" class="is-number">${duration(((one.resolved_at ? Date.parse(one.resolved_at) : now) - Date.parse(one.opened_at)) / 1000)}</td>
                ${brief ? null : html`<td class="what"><${What} incident=${one} rows=${rows} /></td>`}
                <td class="cause">
                  ${one.evidence.length
                    ? html`<details>
                        <summary>${one.cause}</summary>
                        <ul>${one.evidence.map((/** @type {string} */ line) => html`<li>${line}</li>`)}</ul>
                      </details>`
                    : one.cause}
                </td>
                <td class=${one.acknowledged || !one.resolved_at ? "" : "wide-only"}>
                  ${one.acknowledged
                    ? html`<${Acknowledged} incident=${one} onChanged=${onChanged} />`
                    : one.resolved_at
                      ? "–"
                      : may("operator")
                        ? html`<button data-testid="acknowledge" aria-label=${`Acknowledge ${subject(one, rows)}`} onClick=${() => setTaking(one)}>Acknowledge</button>`
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

/** How a target was called when it became part of an incident; it may have been renamed or deleted since.
 * @param {import("../messages.d.ts").Incident} incident @param {string} id @param {ReadonlyMap<string, any>} rows */
const called = (incident, id, rows) => incident.members?.find((one) => one.target === id)?.name || (rows.get(id)?.name ?? id);

/** @type {Record<string, string>} */
const MUTED = {
  maintenance: "maintenance",
  "site-maintenance": "only sites in maintenance see it DOWN",
  "parent-maintenance": "it lies behind a target in maintenance",
  snoozed: "snoozed",
  confirming: "a fresh check is waited for after",
};

/** Why nobody is mailed, in words. @param {import("../messages.d.ts").Muting} one */
export const muted = (one) => `Nobody is mailed: ${MUTED[one.code] ?? one.code} (${one.title})${one.until ? `, until ${moment(one.until)}` : ""}`;

/** What an incident is about, in words. @param {import("../messages.d.ts").Incident} incident @param {ReadonlyMap<string, any>} rows */
export function subject(incident, rows) {
  const total = Math.max(incident.total_members ?? 0, incident.targets.length);
  if (total === 0) return incident.site ? `site ${incident.site}` : "NOC itself";
  const first = called(incident, incident.targets[0], rows);
  return total === 1 ? first : `${first} and ${total - 1} more`;
}

/** @param {{incident: import("../messages.d.ts").Incident, rows: ReadonlyMap<string, any>}} given */
function What({ incident, rows }) {
  if (!incident.targets.length) return html`<strong>${subject(incident, rows)}</strong>`;
  const shown = incident.targets.slice(0, SHOWN_TARGETS);
  const total = Math.max(incident.total_members ?? 0, incident.targets.length);
  return html`
    ${incident.site ? html`site <strong>${incident.site}</strong>: ` : null}
    ${shown.map((id, place) => html`${place ? ", " : ""}<a href=${`/targets/${encodeURIComponent(id)}`}>${called(incident, id, rows)}</a>`)}
    ${total > shown.length ? ` and ${total - shown.length} more` : ""}
  `;
}

/** Who has acknowledged it; an operator may take it back. @param {{incident: any, onChanged: () => void}} given */
function Acknowledged({ incident, onChanged }) {
  const rows = useStore((state) => state.rows);
  const { acknowledged } = incident;
  const { run, busy, error } = useAction(async () => {
    await api.delete(`/incidents/${encodeURIComponent(incident.id)}/acknowledge`);
    onChanged();
  });
  return html`
    <span title=${exact(acknowledged.at)}>${acknowledged.by}, ${moment(acknowledged.at)}</span>
    ${acknowledged.comment ? html`<q>${acknowledged.comment}</q>` : null}
    ${!incident.resolved_at && may("operator")
      ? html` <button class="quiet" data-testid="unacknowledge" disabled=${busy} aria-label=${`Undo the acknowledgement of ${subject(incident, rows)}`} onClick=${run}>Undo</button>`
      : null}
    <${Trouble} error=${error} />
  `;
}

/** @param {{incident: any, onClose: () => void, onDone: () => void}} given */
function Acknowledge({ incident, onClose, onDone }) {
  const rows = useStore((state) => state.rows);
  const [comment, setComment] = useState("");
  const { run, busy, error } = useAction(async () => {
    await api.post(`/incidents/${encodeURIComponent(incident.id)}/acknowledge`, { comment: comment.trim() });
    onDone();
  });
  return html`
    <${Dialog} title=${`Acknowledge: ${subject(incident, rows)}`} onClose=${onClose} testid="acknowledge-form">
      <form class="dialog-form" onSubmit=${(/** @type {any} */ event) => (event.preventDefault(), run())}>
        <div class="dialog-body">
          <p><strong>${subject(incident, rows)}</strong>, open since <time title=${exact(incident.opened_at)}>${moment(incident.opened_at)}</time>: ${incident.cause}</p>
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
