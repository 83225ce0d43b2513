// @ts-check
// The page of one incident: who is part of it, what happened and why, and who was mailed.

import { api } from "../api.js";
import { counted, duration, exact, moment } from "../format.js";
import { useAction, useLoaded, useNow, useStore } from "../hooks.js";
import { may } from "../me.js";
import { html, useState } from "../ui.js";
import { Trouble } from "./bits.js";
import { IncidentChart } from "./incidentchart.js";
import { CommentForm, PostMortem } from "./incidentnotes.js";
import { IncidentPaths } from "./incidentpaths.js";
import { foundLate, IncidentTable, muted } from "./incidents.js";
import { SilenceButton } from "./silence.js";

/** @typedef {import("../messages.d.ts").Member} Member */

/** @param {{id: string, query: URLSearchParams}} given */
export default function IncidentPage({ id, query }) {
  const path = `/incidents/${encodeURIComponent(id)}`;
  const live = useStore((state) => state.incidents.find((one) => one.id === id));
  // One that is over is not among them: of it this is told.
  const noted = useStore((state) => state.noted[id]);
  const kept = useLoaded(path, {}, live, noted);
  const members = useLoaded(`${path}/members`, {}, live);
  const incident = live ?? kept.answer?.incident;
  if (kept.error && !incident) return html`<div class="empty"><h1>Incident ${id}</h1><${Trouble} error=${kept.error} /></div>`;
  if (!incident || !(members.answer ?? members.error)) return html`<p class="empty">Loading…</p>`;
  // Mails have a link that asks for it.
  const isAsked = query.has("acknowledge") && may("operator") && !incident.resolved_at && !incident.acknowledged;
  return html`
    <section class="panel" aria-label="Incident">
      <div class="tools"><h1>${members.answer?.members[0]?.name ?? incident.site ?? "NOC itself"}${others(incident)}</h1>
        <span class="spring"></span>
        ${incident.resolved_at ? null : html`<${SilenceButton} label="Snooze" choices=${snoozed(incident)} />`}
      </div>
      ${incident.muted && !incident.resolved_at ? html`<p data-testid="muted"><a href="/maintenance">${muted(incident.muted)}</a></p>` : null}
      <${IncidentTable} incidents=${[incident]} acknowledging=${isAsked ? incident : null} onChanged=${() => (kept.again(), members.again())} />
      ${incident.merged_into
        ? html`<p>It turned out to be part of <a href=${`/incidents/${encodeURIComponent(incident.merged_into)}`}>incident ${incident.merged_into}</a>.</p>`
        : null}
      ${incident.found_at ? html`<p data-testid="found-late">${foundLate(incident.found_at)}</p>` : null}
      ${kept.answer && !kept.answer.complete ? html`<p class="help">The alerter does not answer: its timeline and mails are not shown.</p>` : null}
    </section>
    ${members.answer?.total ? html`<${Members} key=${members.answer.total} path=${path} first=${members.answer} />` : null}
    ${members.answer?.total ? html`<${IncidentChart} key=${`chart ${id}`} incident=${incident} members=${members.answer.members} />` : null}
    <div class="columns">
      <${Happened} entries=${kept.answer?.timeline ?? []} path=${path} onSaid=${kept.again} />
      <${Mails} mails=${kept.answer?.mails ?? []} />
    </div>
    ${kept.answer?.complete ? html`<${PostMortem} key=${id} path=${path} note=${kept.answer.post_mortem} onChanged=${kept.again} />` : null}
    <${IncidentPaths} key=${id} path=${path} />
  `;
}

/** What one may want to silence from an incident: it, what it is about, and where that is. @param {import("../messages.d.ts").Incident} incident */
function snoozed(incident) {
  const targets = incident.targets.length === 1 ? incident.targets.map((name) => ({ kind: "target", name })) : [];
  const groups = [...new Set(incident.members.map((one) => one.group).filter(Boolean))].slice(0, 5).map((name) => ({ kind: "group", name }));
  return [{ kind: "incident", name: incident.id }, ...targets, ...groups, ...(incident.site ? [{ kind: "site", name: incident.site }] : [])];
}

/** @param {any} incident */
const others = (incident) => (incident.total_members > 1 ? ` and ${incident.total_members - 1} more` : "");

/** All of them, a page at a time. @param {{path: string, first: {members: Member[], total: number}}} given */
function Members({ path, first }) {
  const [more, setMore] = useState(/** @type {Member[]} */ ([]));
  const now = useNow(5000);
  const members = [...first.members, ...more];
  const { run, busy, error } = useAction(async () => {
    const page = await api.get(`${path}/members`, { offset: members.length });
    setMore([...more, ...page.members]);
  });
  return html`
    <section class="panel" aria-label="Targets">
      <h2>${counted(first.total, "target")}</h2>
      <div class="scroll">
        <table class="list as-cards" data-testid="members">
          <thead>
            <tr><th>Target</th><th>Group</th><th>State</th><th>Since</th><th class="is-number">Lasted</th></tr>
          </thead>
          <tbody>
            ${members.map(
              (one) => html`
                <tr key=${one.target}>
                  <td><a href=${`/targets/${encodeURIComponent(one.target)}`}>${one.name}</a>${one.critical ? " (critical)" : ""}</td>
                  <td data-label="Group">${one.group || "–"}</td>
                  <td data-label="State">${one.left_at ? "over" : how(one)}</td>
                  <td data-label="Since"><time title=${exact(one.joined_at)}>${moment(one.joined_at)}</time></td>
                  <td data-label="Lasted" class="is-number">${duration(((one.left_at ? Date.parse(one.left_at) : now) - Date.parse(one.joined_at)) / 1000)}</td>
                </tr>
              `,
            )}
          </tbody>
        </table>
      </div>
      <${Trouble} error=${error} />
      ${members.length < first.total ? html`<p><button onClick=${run} disabled=${busy}>Show more (${first.total - members.length})</button></p>` : null}
    </section>
  `;
}

/** @param {Member} one */
function how(one) {
  if (one.muted) return `${one.state}, muted`;
  if (one.flapping) return `flapping, ${one.state} now`;
  return one.behind ? `${one.state}, behind ${one.behind}` : (one.state ?? "–");
}

/** @param {{entries: import("../messages.d.ts").TimelineEntry[], path: string, onSaid: () => void}} given */
function Happened({ entries, path, onSaid }) {
  return html`
    <section class="panel" aria-label="Timeline">
      <h2>What happened</h2>
      ${entries.length
        ? html`<div class="scroll"><table class="list" data-testid="timeline">
            <tbody>
              ${entries.map(
                (one) => html`<tr>
                  <td><time title=${exact(one.at)}>${moment(one.at)}</time></td>
                  <td>${one.by ? html`<strong>${one.by}</strong> ` : null}${one.code.replaceAll("-", " ")}${one.target ? html`: <a href=${`/targets/${encodeURIComponent(one.target)}`}>${one.target}</a>` : null}${one.by ? html`<div class="written">${one.text}</div>` : html`<br /><small>${one.text}</small>`}</td>
                </tr>`,
              )}
            </tbody>
          </table></div>`
        : html`<p class="empty">Nothing is kept of it.</p>`}
      ${may("operator") ? html`<${CommentForm} path=${path} onSaid=${onSaid} />` : null}
    </section>
  `;
}

/** @param {{mails: import("../messages.d.ts").SentMail[]}} given */
function Mails({ mails }) {
  return html`
    <section class="panel" aria-label="Mails">
      <h2>Who was mailed</h2>
      ${mails.length
        ? html`<div class="scroll"><table class="list as-cards" data-testid="incident-mails">
            <thead><tr><th>To</th><th>About</th><th>State</th></tr></thead>
            <tbody>
              ${mails.map(
                (one) => html`<tr>
                  <td>${one.to}</td>
                  <td data-label="About">${one.about}</td>
                  <td data-label="State">${one.state.replaceAll("-", " ")} ${one.sent_at ? html`<time title=${exact(one.sent_at)}>${moment(one.sent_at)}</time>` : null}${one.error ? html`<br /><small>${one.error}</small>` : null}</td>
                </tr>`,
              )}
            </tbody>
          </table></div>`
        : html`<p class="empty">Nobody was mailed about it.</p>`}
    </section>
  `;
}
