// @ts-check
// Incidents, open and over, searched and filtered; open ones can be acknowledged with a comment, also several at once.

import { api } from "../api.js";
import { counted, duration, moment, exact } from "../format.js";
import { useAction, useLoaded, useNow, useStore, useTargets } from "../hooks.js";
import { LENGTHS } from "../maintenance.js";
import { called, isWaiting, matching, SHOWN, subject } from "../incidentrows.js";
import { may, me } from "../me.js";
import { DAY_MS } from "../period.js";
import { setQuery } from "../router.js";
import { groups } from "../tablerows.js";
import { html, useState } from "../ui.js";
import { Dialog, Trouble, withChosen } from "./bits.js";

const DAYS = [1, 7, 30, 90, 365];
const SHOWN_TARGETS = 6;
const NO_FILTER = { text: "", group: "", site: "", kind: "", unacknowledged: false };
const CALLED = { open: "Open", past: "Past", mine: "Mine", all: "All" };

/** @param {{query: URLSearchParams}} given */
export default function Incidents({ query }) {
  const shown = SHOWN.find((one) => one === query.get("show")) ?? "open";
  const days = DAYS.includes(Number(query.get("days"))) ? Number(query.get("days")) : 30;
  const open = useStore((state) => state.incidents);
  const allWell = useStore((state) => state.allWell);
  const rows = useStore((state) => state.rows);
  const [atMs] = useState(Date.now());
  const noted = useStore((state) => state.noted);
  const found = useLoaded(shown === "open" ? null : "/incidents", { from: Math.round(atMs - days * DAY_MS) }, open, noted);
  const loaded = shown === "open" ? open : (found.answer?.incidents ?? []);
  const all = matching(loaded, { ...NO_FILTER, show: shown, me: me.name }, rows);
  const asked = { text: query.get("q") ?? "", group: query.get("group") ?? "", site: query.get("site") ?? "", kind: query.get("kind") ?? "", unacknowledged: query.has("unacknowledged") };
  const incidents = matching(all, { ...asked, show: shown, me: me.name }, rows);
  const isFiltered = Object.values(asked).some(Boolean);
  return html`
    <section class="panel" aria-label="Incidents">
      <div class="tools">
        <h1>Incidents</h1>
        <div class="ranges" role="group" aria-label="Which">
          ${SHOWN.map((one) => html`<button key=${one} aria-pressed=${one === shown} title=${one === "mine" ? "those that you have acknowledged" : undefined} onClick=${() => setQuery({ show: one === "open" ? null : one })}>${CALLED[one]}${one === "open" ? ` (${open.length})` : ""}</button>`)}
        </div>
        ${shown === "open"
          ? null
          : html`<label>of the last
              <select value=${String(days)} onChange=${(/** @type {any} */ event) => setQuery({ days: event.currentTarget.value })}>
                ${DAYS.map((one) => html`<option value=${String(one)}>${counted(one, "day")}</option>`)}
              </select></label>`}
      </div>
      <${Filters} asked=${asked} kinds=${[...new Set(all.map((/** @type {any} */ one) => one.kind))].sort()} />
      <${Trouble} error=${found.error} />
      ${incidents.length
        ? html`<${IncidentTable} incidents=${incidents} onChanged=${found.again} />`
        : html`<p class="empty">${found.busy ? "Loading…" : isFiltered && all.length ? html`None of ${counted(all.length, "incident")} is like that. <button class="link" onClick=${() => setQuery({ q: null, group: null, site: null, kind: null, unacknowledged: null })}>Show all of them</button>` : EMPTY[shown](allWell)}</p>`}
    </section>
  `;
}

/** @type {Record<string, (allWell: boolean) => string>} */
const EMPTY = {
  open: (allWell) => `No incident is open.${allWell ? " All is well." : ""}`,
  past: () => "No incident of this period is over.",
  mine: () => "You have acknowledged no incident of this period.",
  all: () => "No incident in this period.",
};

/** @param {{asked: {text: string, group: string, site: string, kind: string, unacknowledged: boolean}, kinds: string[]}} given */
function Filters({ asked, kinds }) {
  const sites = useStore((state) => state.sites).map((site) => site.id);
  const paths = useTargets((rows) => groups(rows.values()));
  const put = (/** @type {string} */ name) => (/** @type {any} */ event) => setQuery({ [name]: event.currentTarget.value }, { replace: true });
  const select = (/** @type {"group"|"site"|"kind"} */ name, /** @type {string} */ any, /** @type {string[]} */ all) => html`
    <select aria-label=${`By ${name}`} value=${asked[name]} onChange=${put(name)}>
      <option value="">${any}</option>
      ${withChosen(all, asked[name]).map((one) => html`<option key=${one} value=${one}>${name === "kind" ? one.replaceAll("-", " ") : one}</option>`)}
    </select>
  `;
  return html`
    <div class="tools" role="search">
      <input type="search" class="filter" placeholder="Search" aria-label="Search incidents" title="in names, addresses, groups, sites, causes and comments" value=${asked.text} onInput=${put("q")} data-testid="incident-search" />
      ${select("group", "All groups", paths)} ${select("site", "All sites", sites)} ${select("kind", "All kinds", kinds)}
      <label class="check"><input type="checkbox" checked=${asked.unacknowledged} onChange=${(/** @type {any} */ event) => setQuery({ unacknowledged: event.currentTarget.checked ? "yes" : null }, { replace: true })} />Not acknowledged</label>
    </div>
  `;
}

/** `acknowledging`: the one whose form is open at first. @param {{incidents: readonly any[], onChanged: () => void, brief?: boolean, acknowledging?: any}} given */
export function IncidentTable({ incidents, onChanged, brief = false, acknowledging = null }) {
  const now = useNow(5000);
  const rows = useStore((state) => state.rows);
  const [taking, setTaking] = useState(/** @type {readonly any[]|null} */ (acknowledging && [acknowledging]));
  const [marked, setMarked] = useState(/** @type {ReadonlySet<string>} */ (new Set()));
  const waiting = brief || !may("operator") ? [] : incidents.filter(isWaiting);
  // Who has been marked may be over, acknowledged or out of sight since.
  const chosen = waiting.filter((one) => marked.has(one.id));
  const turn = (/** @type {string} */ id) => setMarked((before) => new Set(before.has(id) ? [...before].filter((one) => one !== id) : [...before, id]));
  return html`
    ${waiting.length > 1
      ? html`<div class="tools" role="group" aria-label="Several at once">
          <label class="check"><input type="checkbox" checked=${chosen.length === waiting.length} onChange=${() => setMarked(new Set(chosen.length === waiting.length ? [] : waiting.map((one) => one.id)))} data-testid="mark-all" />All ${waiting.length} that nobody has acknowledged</label>
          <button disabled=${!chosen.length} onClick=${() => setTaking(chosen)} data-testid="acknowledge-marked">Acknowledge ${chosen.length}</button>
        </div>`
      : null}
    <div class="scroll">
      <table class="list as-cards incidents" data-testid="incidents">
        <thead>
          <tr><th>Status</th><th>Since</th><th class="is-number">Lasted</th>${brief ? null : html`<th>What</th>`}<th>Cause</th><th>Acknowledged by</th></tr>
        </thead>
        <tbody>
          ${incidents.map(
            (one) => html`
              <tr key=${one.id} data-incident=${one.id} data-open=${String(!one.resolved_at)}>
                <td>${waiting.length > 1 && isWaiting(one) ? html`<input type="checkbox" checked=${marked.has(one.id)} aria-label=${`Mark ${subject(one, rows)}`} onChange=${() => turn(one.id)} /> ` : null}${one.resolved_at ? html`<span class="status is-over">resolved</span>` : html`<span class="status is-open">open</span>`}${one.muted && !one.resolved_at ? html` <span class="status is-muted" title=${muted(one.muted)}>muted</span>` : null}${one.severity ? html` <small>${one.severity}</small>` : null}${one.found_at ? html`<small title=${foundLate(one.found_at)}>, found later</small>` : null}</td>
                <td data-label="Since"><a href=${`/incidents/${encodeURIComponent(one.id)}`} aria-label=${`All about ${subject(one, rows)}, since ${exact(one.opened_at)}`}><time title=${exact(one.opened_at)}>${moment(one.opened_at)}</time></a></td>
                <td data-label="Lasted" class="is-number">${duration(((one.resolved_at ? Date.parse(one.resolved_at) : now) - Date.parse(one.opened_at)) / 1000)}</td>
                ${brief ? null : html`<td class="what"><${What} incident=${one} rows=${rows} /></td>`}
                <td class="cause">
                  ${one.evidence.length
                    ? html`<details>
                        <summary>${one.cause}</summary>
                        <ul>${one.evidence.map((/** @type {string} */ line) => html`<li>${line}</li>`)}${Object.entries(one.first_unanswered ?? {}).map(([site, at]) => html`<li>${site}: the first check that nothing answered began at <time title=${exact(at)}>${moment(at)}</time></li>`)}</ul>
                      </details>`
                    : one.cause}
                </td>
                <td class=${one.acknowledged || !one.resolved_at ? "" : "wide-only"}>
                  ${one.acknowledged
                    ? html`<${Acknowledged} incident=${one} onChanged=${onChanged} />`
                    : one.resolved_at
                      ? "–"
                      : may("operator")
                        ? html`<button data-testid="acknowledge" aria-label=${`Acknowledge ${subject(one, rows)}`} onClick=${() => setTaking([one])}>Acknowledge</button>`
                        : "not yet"}
                </td>
              </tr>
            `,
          )}
        </tbody>
      </table>
    </div>
    ${taking ? html`<${Acknowledge} incidents=${taking} onClose=${() => setTaking(null)} onDone=${() => (setTaking(null), onChanged())} />` : null}
  `;
}

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

/** Why nobody was told of it in time, in words. @param {string} at when it was found */
export const foundLate = (at) => `Nobody knew of it while it lasted: data that came late showed it, at ${exact(at)}.`;

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
    ${acknowledged.until && !incident.resolved_at ? html` until <time title=${exact(acknowledged.until)}>${moment(acknowledged.until)}</time>` : null}
    ${acknowledged.comment ? html`<q>${acknowledged.comment}</q>` : null}
    ${!incident.resolved_at && may("operator")
      ? html` <button class="quiet" data-testid="unacknowledge" disabled=${busy} aria-label=${`Undo the acknowledgement of ${subject(incident, rows)}`} onClick=${run}>Undo</button>`
      : null}
    <${Trouble} error=${error} />
  `;
}

/** @param {{incidents: readonly any[], onClose: () => void, onDone: () => void}} given one at least */
function Acknowledge({ incidents, onClose, onDone }) {
  const rows = useStore((state) => state.rows);
  const [comment, setComment] = useState("");
  const [minutes, setMinutes] = useState("");
  const { run, busy, error } = useAction(async () => {
    for (const one of incidents) {
      try {
        await api.post(`/incidents/${encodeURIComponent(one.id)}/acknowledge`, { comment: comment.trim(), minutes: minutes ? Number(minutes) : null });
      } catch (refused) {
        // Of several, one may be over by now.
        if (incidents.length === 1 || /** @type {any} */ (refused).status !== 404) throw refused;
      }
    }
    onDone();
  });
  const title = incidents.length === 1 ? subject(incidents[0], rows) : counted(incidents.length, "incident");
  return html`
    <${Dialog} title=${`Acknowledge: ${title}`} onClose=${onClose} testid="acknowledge-form">
      <form class="dialog-form" onSubmit=${(/** @type {any} */ event) => (event.preventDefault(), run())}>
        <div class="dialog-body">
          ${incidents.map((one) => html`<p key=${one.id}><strong>${subject(one, rows)}</strong>, open since <time title=${exact(one.opened_at)}>${moment(one.opened_at)}</time>: ${one.cause}</p>`)}
          <label class="field">
            Comment
            <textarea rows="3" maxlength="500" name="comment" value=${comment} onInput=${(/** @type {any} */ event) => setComment(event.currentTarget.value)} placeholder="What you do about it; others see it"></textarea>
          </label>
          <label class="field">
            For
            <select name="minutes" value=${minutes} onChange=${(/** @type {any} */ event) => setMinutes(event.currentTarget.value)}>
              <option value="">as long as it is open</option>
              ${LENGTHS.map(([value, words]) => html`<option key=${value} value=${value}>${words}</option>`)}
            </select>
          </label>
          <p class="help">While you have it, nobody is mailed of its changes, but of its end, and of what becomes part of it from now on.</p>
          <${Trouble} error=${error} labels=${{ comment: "Comment", minutes: "For" }} />
        </div>
        <footer>
          <button type="button" class="quiet" onClick=${onClose}>Cancel</button>
          <button class="primary" disabled=${busy}>Acknowledge</button>
        </footer>
      </form>
    <//>
  `;
}
